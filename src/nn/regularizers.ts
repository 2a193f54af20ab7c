import { abs, add, constant, eye, matmul, mul, normalize, square, sub, sum, type Tensor, t } from '../tensor/index.js'
import { canonicalName, describe, descriptionOf, type KerasObject } from './serial.js'

/** A penalty added to the loss: maps a tensor to a scalar. */
export type Regularizer = (x: Tensor) => Tensor

const MODULE = 'keras.regularizers'

function penalty(x: Tensor, l1: number, l2: number): Tensor {
  const terms: Tensor[] = []
  if (l1 !== 0) terms.push(mul(sum(abs(x)), constant(l1, x.dtype)))
  if (l2 !== 0) terms.push(mul(sum(square(x)), constant(l2, x.dtype)))
  return terms.length > 0 ? terms.reduce((a, b) => add(a, b)) : constant(0, x.dtype)
}

/** l1 * sum|x| + l2 * sum x^2 (Keras L1L2). */
export const l1l2 = ({ l1 = 0, l2 = 0 }: { l1?: number; l2?: number }): Regularizer =>
  describe((x: Tensor) => penalty(x, l1, l2), MODULE, 'L1L2', { l1, l2 })

/** strength * sum|x|. */
export const l1 = (strength = 0.01): Regularizer =>
  describe((x: Tensor) => penalty(x, strength, 0), MODULE, 'L1', { l1: strength })

/** strength * sum x^2. */
export const l2 = (strength = 0.01): Regularizer =>
  describe((x: Tensor) => penalty(x, 0, strength), MODULE, 'L2', { l2: strength })

/** Mean of |cosine| between pairs of rows (or columns) of a matrix, times `factor` (Keras OrthogonalRegularizer). */
export const orthogonalRegularizer = ({ factor = 0.01, mode = 'rows' as 'rows' | 'columns' } = {}): Regularizer =>
  describe(
    (x: Tensor) => {
      if (x.ndim !== 2)
        throw new RangeError(`the orthogonal regularizer takes matrices, got shape [${x.shape.join(', ')}]`)
      const unit = normalize(mode === 'rows' ? x : t(x), { dim: 1 })
      const size = unit.shape[0]
      const product = matmul(unit, t(unit))
      const apart = mul(abs(product), sub(1, eye(size, size, { dtype: x.dtype })))
      return mul(sum(apart), constant((0.5 * factor) / Math.max((size * (size - 1)) / 2, 1), x.dtype))
    },
    MODULE,
    'OrthogonalRegularizer',
    { factor, mode },
  )

const BY_NAME: Record<string, (config: Record<string, unknown>) => Regularizer> = {
  l1: ({ l1: strength = 0.01 }) => l1(strength as number),
  l2: ({ l2: strength = 0.01 }) => l2(strength as number),
  l1l2: (config) => l1l2(Object.keys(config).length > 0 ? config : { l1: 0.01, l2: 0.01 }),
  orthogonalregularizer: (config) => orthogonalRegularizer(config),
}

export type RegularizerLike = Regularizer | string | KerasObject | null | undefined

/** @throws RangeError naming the unknown regularizer and the known ones. */
export function getRegularizer(like: RegularizerLike): Regularizer | null {
  if (like === null || like === undefined) return null
  if (typeof like === 'function') return like
  const name = typeof like === 'string' ? like : like.class_name
  const make = BY_NAME[canonicalName(name)]
  if (!make) throw new RangeError(`unknown regularizer '${name}'; known: ${Object.keys(BY_NAME).join(', ')}`)
  return make(typeof like === 'string' ? {} : like.config)
}

/** A regularizer as Keras writes it; null for none. */
export function serializeRegularizer(like: RegularizerLike): KerasObject | null {
  const regularizer = getRegularizer(like)
  return regularizer && descriptionOf(regularizer, 'regularizer')
}
