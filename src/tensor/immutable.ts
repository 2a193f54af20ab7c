import { Tensor } from './tensor.js'

/**
 * `x[i]` is neither an element nor a place to write: tensors are immutable and lazy. Both say so, instead of giving `undefined` or
 * silently adding a property.
 */
const GUARDED_INDICES = 64

for (let i = 0; i < GUARDED_INDICES; i++) {
  Object.defineProperty(Tensor.prototype, i, {
    get() {
      throw new TypeError(`x[${i}] does not index a tensor; use x.at(${i}), or await x.data() for the numbers`)
    },
    set() {
      throw new TypeError(
        `x[${i}] = v cannot change a tensor, which is immutable; use y = x.setAt([${i}], v), which returns a new one`,
      )
    },
    enumerable: false,
    configurable: true,
  })
}
