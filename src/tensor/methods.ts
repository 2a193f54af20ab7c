import * as elementwise from './ops/elementwise.js'
import * as reduce from './ops/reduce.js'
import * as shape from './ops/shape.js'
import { Tensor } from './tensor.js'

/** A function of a tensor as a method: its first argument becomes `this`. */
type Method<F> = F extends (x: never, ...rest: infer R) => infer T ? (...rest: R) => T : never

/** Functions that are also methods: `sum(x, 1)` and `x.sum(1)` are the same. */
const table = {
  neg: elementwise.neg,
  abs: elementwise.abs,
  sign: elementwise.sign,
  floor: elementwise.floor,
  exp: elementwise.exp,
  add: elementwise.add,
  sum: reduce.sum,
  reshape: shape.reshape,
  permute: shape.permute,
}

export type TensorMethods = { [K in keyof typeof table]: Method<(typeof table)[K]> }

declare module './tensor.js' {
  interface Tensor extends TensorMethods {}
}

for (const [name, fn] of Object.entries(table) as [string, (x: Tensor, ...rest: unknown[]) => unknown][]) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...rest)
    },
    writable: true,
    configurable: true,
  })
}
