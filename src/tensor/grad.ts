import { vjpSteps } from '../autodiff/index.js'
import { finish, isFloat, type Steps, splat, topologicalOrder, type Value } from '../ir/index.js'
import { isRealised } from '../runtime/index.js'
import { Parameter } from './parameter.js'
import { Tensor } from './tensor.js'
import { flattenTree, isTensorOrParameter, type TensorsOf } from './tree.js'

function checkLoss(loss: Tensor): void {
  if (loss.ndim !== 0)
    throw new RangeError(
      `grad needs a scalar loss, got ${loss.dtype}[${loss.shape.join(', ')}]; reduce it, e.g. loss.mean()`,
    )
  if (!isFloat(loss.dtype)) throw new TypeError(`grad needs a float loss, got ${loss.dtype}`)
}

function wasRead(loss: Value): boolean {
  return topologicalOrder([loss]).some((node) => isRealised(node) && node.op !== 'parameter')
}

function* gradientValues(loss: Tensor, wrt: readonly (Tensor | Parameter)[]): Steps<Tensor[]> {
  checkLoss(loss)
  const values = wrt.map((item) => {
    if (!(item instanceof Parameter)) return item.value
    if (item.derivation)
      throw new TypeError(`grad: ${item} is computed from other parameters; take the gradients of those`)
    return item.cell.read()
  })
  const gradients = yield* vjpSteps([loss.value], [splat(1, [], loss.dtype)], values)
  if (gradients.some((gradient) => gradient === null) && wasRead(loss.value)) {
    throw new Error(
      'grad: part of the loss was read before, and a read tensor no longer knows what it was computed from; ' +
        'take gradients first, or use valueAndGrad(fn), which returns the loss with them',
    )
  }
  return gradients.map((gradient, i) => {
    if (gradient) return new Tensor(gradient)
    const zeros = new Tensor(splat(0, values[i].shape, values[i].dtype))
    unconnected.add(zeros)
    return zeros
  })
}

const unconnected = new WeakSet<Tensor>()

/**
 * Whether a gradient is zeros because the loss does not depend on what it belongs to. PyTorch and Keras have no gradient there (`None`) and
 * leave such parameters alone: no weight decay, no momentum.
 */
export const isUnconnected = (gradient: Tensor): boolean => unconnected.has(gradient)

/** Changes gradients (scales, clips); those that are {@link isUnconnected} stay what they are. */
export const mapGradients = (gradients: readonly Tensor[], change: (gradient: Tensor) => Tensor): Tensor[] =>
  gradients.map((gradient) => (isUnconnected(gradient) ? gradient : change(gradient)))

/**
 * Gradients of a scalar loss with respect to tensors or parameters (a tree of them; zeros where the loss does not depend on one).
 * The loss must not have been read yet.
 * @throws RangeError when the loss is not a scalar, Error when it was read already.
 */
export function gradients<T>(loss: Tensor, wrt: T): TensorsOf<T> {
  return finish(gradientSteps(loss, wrt))
}

/** {@link gradients} in steps, for generator functions that `jit` traces. */
export function* gradientSteps<T>(loss: Tensor, wrt: T): Steps<TensorsOf<T>> {
  const flat = flattenTree(wrt, isTensorOrParameter)
  return flat.rebuild(yield* gradientValues(loss, flat.leaves)) as TensorsOf<T>
}

type Fn<A extends unknown[]> = (...args: A) => Tensor

/**
 * With a loss tensor: its gradients with respect to `wrt` ({@link gradients}).
 * With a function: a function that returns the gradient of its scalar result with respect to its first argument (a tree of tensors).
 */
export function grad<T>(loss: Tensor, wrt: T): TensorsOf<T>
export function grad<A extends unknown[]>(fn: Fn<A>): (...args: A) => TensorsOf<A[0]>
export function grad<T, A extends unknown[]>(
  lossOrFn: Tensor | Fn<A>,
  wrt?: T,
): TensorsOf<T> | ((...args: A) => TensorsOf<A[0]>) {
  if (lossOrFn instanceof Tensor) return gradients(lossOrFn, wrt as T)
  return (...args) => gradients(lossOrFn(...args), args[0]) as TensorsOf<A[0]>
}

export interface ValueAndGrad<G> {
  readonly value: Tensor
  readonly grads: G
}

/**
 * A function that returns the scalar result of `fn` together with its gradients: with respect to `wrt` (parameters or tensors that
 * `fn` uses) or, without it, to its first argument.
 */
export function valueAndGrad<A extends unknown[], T>(fn: Fn<A>, wrt: T): (...args: A) => ValueAndGrad<TensorsOf<T>>
export function valueAndGrad<A extends unknown[]>(fn: Fn<A>): (...args: A) => ValueAndGrad<TensorsOf<A[0]>>
export function valueAndGrad<A extends unknown[], T>(fn: Fn<A>, wrt?: T): (...args: A) => ValueAndGrad<unknown> {
  return (...args) => {
    const value = fn(...args)
    return { value, grads: gradients(value, wrt ?? args[0]) }
  }
}
