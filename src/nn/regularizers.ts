import { abs, add, constant, mul, square, sum, type Tensor } from '../tensor/index.js'

/** A penalty added to the loss: maps a tensor to a scalar. */
export type Regularizer = (x: Tensor) => Tensor

/** l1 * sum|x| + l2 * sum x^2 (Keras' L1, L2, L1L2). */
export function l1l2({ l1 = 0, l2 = 0 }: { l1?: number; l2?: number }): Regularizer {
  return (x) => {
    const terms: Tensor[] = []
    if (l1 !== 0) terms.push(mul(sum(abs(x)), constant(l1, x.dtype)))
    if (l2 !== 0) terms.push(mul(sum(square(x)), constant(l2, x.dtype)))
    return terms.length > 0 ? terms.reduce((a, b) => add(a, b)) : constant(0, x.dtype)
  }
}

export const l1 = (strength = 0.01): Regularizer => l1l2({ l1: strength })
export const l2 = (strength = 0.01): Regularizer => l1l2({ l2: strength })

const BY_NAME: Record<string, (config: { l1?: number; l2?: number }) => Regularizer> = {
  l1: ({ l1: strength = 0.01 }) => l1(strength),
  l2: ({ l2: strength = 0.01 }) => l2(strength),
  l1l2: (config) => l1l2(config),
  l1_l2: (config) => l1l2({ l1: 0.01, l2: 0.01, ...config }),
}

export type RegularizerLike =
  | Regularizer
  | string
  | { class_name: string; config: Record<string, unknown> }
  | null
  | undefined

/** @throws RangeError naming the unknown regularizer and the known ones. */
export function getRegularizer(like: RegularizerLike): Regularizer | null {
  if (like === null || like === undefined) return null
  if (typeof like === 'function') return like
  const name = typeof like === 'string' ? like : like.class_name
  const make = BY_NAME[name.toLowerCase()]
  if (!make) throw new RangeError(`unknown regularizer '${name}'; known: ${Object.keys(BY_NAME).join(', ')}`)
  return make(typeof like === 'string' ? {} : like.config)
}
