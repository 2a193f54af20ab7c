import { add, constant, div, maximum, mul, square, sum, type Tensor } from '../tensor/index.js'
import { camelKeys, canonicalName, describe, descriptionOf, type KerasObject } from './serial.js'

/** Projects a weight onto what it may be; applied after each update. */
export type Constraint = (weight: Tensor) => Tensor

const MODULE = 'keras.constraints'
const EPSILON = 1e-7

/** Dimensions along which norms are taken. */
export type Axes = number | readonly number[]

const normOf = (w: Tensor, axis: Axes): Tensor => sum(square(w), axis, { keepdim: true }).sqrt()
const rescale = (w: Tensor, norm: Tensor, desired: Tensor): Tensor =>
  mul(w, div(desired, add(norm, constant(EPSILON, w.dtype))))

/** Norms along `axis` are at most `maxValue` (Srivastava et al. 2014). */
export const maxNorm = ({ maxValue = 2, axis = 0 as Axes } = {}): Constraint =>
  describe(
    (w: Tensor) => {
      const norm = normOf(w, axis)
      return rescale(w, norm, norm.clamp(0, maxValue))
    },
    MODULE,
    'MaxNorm',
    { max_value: maxValue, axis },
  )

/** No weight is below 0. */
export const nonNeg = (): Constraint => describe((w: Tensor) => maximum(w, constant(0, w.dtype)), MODULE, 'NonNeg')

/** Norms along `axis` are 1. */
export const unitNorm = ({ axis = 0 as Axes } = {}): Constraint =>
  describe(
    (w: Tensor) => {
      const norm = normOf(w, axis)
      return div(w, add(norm, constant(EPSILON, w.dtype)))
    },
    MODULE,
    'UnitNorm',
    { axis },
  )

/** Norms along `axis` move by `rate` of the way into [minValue, maxValue]. */
export const minMaxNorm = ({ minValue = 0, maxValue = 1, rate = 1, axis = 0 as Axes } = {}): Constraint =>
  describe(
    (w: Tensor) => {
      const norm = normOf(w, axis)
      const desired = add(
        mul(norm.clamp(minValue, maxValue), constant(rate, w.dtype)),
        mul(norm, constant(1 - rate, w.dtype)),
      )
      return rescale(w, norm, desired)
    },
    MODULE,
    'MinMaxNorm',
    { min_value: minValue, max_value: maxValue, rate, axis },
  )

const BY_NAME: Record<string, (config: Record<string, unknown>) => Constraint> = {
  maxnorm: (config) => maxNorm(config),
  nonneg: () => nonNeg(),
  unitnorm: (config) => unitNorm(config),
  minmaxnorm: (config) => minMaxNorm(config),
}

export type ConstraintLike = Constraint | string | KerasObject | null | undefined

/** @throws RangeError naming the unknown constraint and the known ones. */
export function getConstraint(like: ConstraintLike): Constraint | null {
  if (like === null || like === undefined) return null
  if (typeof like === 'function') return like
  const name = typeof like === 'string' ? like : like.class_name
  const make = BY_NAME[canonicalName(name)]
  if (!make) throw new RangeError(`unknown constraint '${name}'; known: ${Object.keys(BY_NAME).join(', ')}`)
  return make(typeof like === 'string' ? {} : camelKeys(like.config))
}

/** A constraint as Keras writes it; null for none. */
export function serializeConstraint(like: ConstraintLike): KerasObject | null {
  const constraint = getConstraint(like)
  return constraint && descriptionOf(constraint, 'constraint')
}
