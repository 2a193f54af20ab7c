import { type DType, full, mul, ones, random, type Shape, type Tensor, zeros } from '../tensor/index.js'

/** Makes the starting value of a weight. */
export type Initializer = (shape: Shape, dtype: DType) => Tensor

interface Fans {
  readonly fanIn: number
  readonly fanOut: number
}

/** Fan-in and fan-out in Keras' layout: [..., in, out], leading dimensions are the receptive field. */
export function computeFans(shape: Shape): Fans {
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 }
  if (shape.length === 1) return { fanIn: shape[0], fanOut: shape[0] }
  const field = shape.slice(0, -2).reduce((product, extent) => product * extent, 1)
  return { fanIn: shape[shape.length - 2] * field, fanOut: shape[shape.length - 1] * field }
}

type Mode = 'fanIn' | 'fanOut' | 'fanAvg'
type Distribution = 'uniform' | 'truncatedNormal' | 'normal'

const SCALE_BY: Record<Mode, (fans: Fans) => number> = {
  fanIn: ({ fanIn }) => fanIn,
  fanOut: ({ fanOut }) => fanOut,
  fanAvg: ({ fanIn, fanOut }) => (fanIn + fanOut) / 2,
}

// Standard deviation of a standard normal truncated to (-2, 2).
const TRUNCATED_STD = 0.87962566103423978

const DRAW: Record<Distribution, (shape: Shape, variance: number, dtype: DType) => Tensor> = {
  uniform: (shape, variance, dtype) =>
    random.uniform(shape, { low: -Math.sqrt(3 * variance), high: Math.sqrt(3 * variance), dtype }),
  normal: (shape, variance, dtype) => mul(random.normal(shape, { dtype }), Math.sqrt(variance)),
  truncatedNormal: (shape, variance, dtype) =>
    mul(random.truncatedNormal(shape, { dtype }), Math.sqrt(variance) / TRUNCATED_STD),
}

/** Variance scale / fan (Keras VarianceScaling). */
export const varianceScaling =
  ({ scale = 1, mode = 'fanIn' as Mode, distribution = 'truncatedNormal' as Distribution } = {}): Initializer =>
  (shape, dtype) =>
    DRAW[distribution](shape, scale / Math.max(1, SCALE_BY[mode](computeFans(shape))), dtype)

/** Glorot and Bengio 2010. */
export const glorotUniform = (): Initializer => varianceScaling({ mode: 'fanAvg', distribution: 'uniform' })
export const glorotNormal = (): Initializer => varianceScaling({ mode: 'fanAvg' })
/** He et al. 2015. */
export const heUniform = (): Initializer => varianceScaling({ scale: 2, distribution: 'uniform' })
export const heNormal = (): Initializer => varianceScaling({ scale: 2 })
/** LeCun et al. 1998. */
export const lecunUniform = (): Initializer => varianceScaling({ distribution: 'uniform' })
export const lecunNormal = (): Initializer => varianceScaling({})

export const constantInitializer =
  (value: number): Initializer =>
  (shape, dtype) =>
    full(shape, value, { dtype })

export const uniformInitializer =
  ({ minval = -0.05, maxval = 0.05 } = {}): Initializer =>
  (shape, dtype) =>
    random.uniform(shape, { low: minval, high: maxval, dtype })

export const normalInitializer =
  ({ mean = 0, stddev = 0.05 } = {}): Initializer =>
  (shape, dtype) =>
    random.normal(shape, { mean, std: stddev, dtype })

export const truncatedNormalInitializer =
  ({ mean = 0, stddev = 0.05 } = {}): Initializer =>
  (shape, dtype) =>
    random.truncatedNormal(shape, { mean, std: stddev, dtype })

const BY_NAME: Record<string, (config: Record<string, number>) => Initializer> = {
  zeros: () => (shape, dtype) => zeros(shape, { dtype }),
  ones: () => (shape, dtype) => ones(shape, { dtype }),
  constant: ({ value = 0 }) => constantInitializer(value),
  glorotuniform: glorotUniform,
  glorotnormal: glorotNormal,
  heuniform: heUniform,
  henormal: heNormal,
  lecununiform: lecunUniform,
  lecunnormal: lecunNormal,
  randomuniform: uniformInitializer,
  randomnormal: normalInitializer,
  truncatednormal: truncatedNormalInitializer,
  variancescaling: varianceScaling,
}

/** What a layer option takes: a function, a name in Keras' spelling, or a Keras config. */
export type InitializerLike = Initializer | string | { class_name: string; config: Record<string, unknown> }

/** @throws RangeError naming the unknown initializer and the known ones. */
export function getInitializer(like: InitializerLike): Initializer {
  if (typeof like === 'function') return like
  const name = typeof like === 'string' ? like : like.class_name
  const make = BY_NAME[name.replaceAll('_', '').toLowerCase()]
  if (!make) throw new RangeError(`unknown initializer '${name}'; known: ${Object.keys(BY_NAME).join(', ')}`)
  return make((typeof like === 'string' ? {} : like.config) as Record<string, number>)
}
