import {
  type DType,
  eye,
  full,
  mul,
  mv,
  ones,
  outer,
  random,
  reshape,
  type Shape,
  scan,
  sub,
  sum,
  type Tensor,
  t,
  zeros,
} from '../tensor/index.js'
import { camelKeys, canonicalName, describe, descriptionOf, type KerasObject, toSnake } from './serial.js'

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

const SCALE_BY: Record<string, (fans: Fans) => number> = {
  fanin: ({ fanIn }) => fanIn,
  fanout: ({ fanOut }) => fanOut,
  fanavg: ({ fanIn, fanOut }) => (fanIn + fanOut) / 2,
}

// Standard deviation of a standard normal truncated to (-2, 2).
const TRUNCATED_STD = 0.87962566103423978

const uniformOf = (shape: Shape, variance: number, dtype: DType): Tensor =>
  random.uniform(shape, { low: -Math.sqrt(3 * variance), high: Math.sqrt(3 * variance), dtype })
const normalOf = (shape: Shape, variance: number, dtype: DType): Tensor =>
  mul(random.normal(shape, { dtype }), Math.sqrt(variance))
const truncatedOf = (shape: Shape, variance: number, dtype: DType): Tensor =>
  mul(random.truncatedNormal(shape, { dtype }), Math.sqrt(variance) / TRUNCATED_STD)

const DRAW: Record<string, (shape: Shape, variance: number, dtype: DType) => Tensor> = {
  uniform: uniformOf,
  untruncatednormal: normalOf,
  truncatednormal: truncatedOf,
  normal: normalOf,
}

function lookUp<T>(table: Record<string, T>, name: string, what: string): T {
  const found = table[canonicalName(name)]
  if (!found)
    throw new RangeError(`VarianceScaling: unknown ${what} '${name}'; known: ${Object.keys(table).join(', ')}`)
  return found
}

const MODULE = 'keras.initializers'
const named = (className: string, config: object, make: Initializer): Initializer =>
  describe(make, MODULE, className, config)

const scaled =
  (scale: number, mode: string, distribution: string): Initializer =>
  (shape, dtype) => {
    const fan = lookUp(SCALE_BY, mode, 'mode')(computeFans(shape))
    return lookUp(DRAW, distribution, 'distribution')(shape, scale / Math.max(1, fan), dtype)
  }

/** Variance scale / fan (Keras VarianceScaling). */
export function varianceScaling({
  scale = 1,
  mode = 'fanIn' as Mode,
  distribution = 'truncatedNormal' as Distribution,
} = {}): Initializer {
  const config = { scale, mode: toSnake(mode), distribution: toSnake(distribution), seed: null }
  return named('VarianceScaling', config, scaled(scale, mode, distribution))
}

const fixed = (className: string, scale: number, mode: Mode, distribution: Distribution) => (): Initializer =>
  named(className, { seed: null }, scaled(scale, mode, distribution))

/** Glorot and Bengio 2010. */
export const glorotUniform = fixed('GlorotUniform', 1, 'fanAvg', 'uniform')
export const glorotNormal = fixed('GlorotNormal', 1, 'fanAvg', 'truncatedNormal')
/** He et al. 2015. */
export const heUniform = fixed('HeUniform', 2, 'fanIn', 'uniform')
export const heNormal = fixed('HeNormal', 2, 'fanIn', 'truncatedNormal')
/** LeCun et al. 1998. */
export const lecunUniform = fixed('LecunUniform', 1, 'fanIn', 'uniform')
export const lecunNormal = fixed('LecunNormal', 1, 'fanIn', 'truncatedNormal')

const zerosInitializer = (): Initializer => named('Zeros', {}, (shape, dtype) => zeros(shape, { dtype }))
const onesInitializer = (): Initializer => named('Ones', {}, (shape, dtype) => ones(shape, { dtype }))

export const constantInitializer = (value: number): Initializer =>
  named('Constant', { value }, (shape, dtype) => full(shape, value, { dtype }))

export const uniformInitializer = ({ minval = -0.05, maxval = 0.05 } = {}): Initializer =>
  named('RandomUniform', { minval, maxval, seed: null }, (shape, dtype) =>
    random.uniform(shape, { low: minval, high: maxval, dtype }),
  )

export const normalInitializer = ({ mean = 0, stddev = 0.05 } = {}): Initializer =>
  named('RandomNormal', { mean, stddev, seed: null }, (shape, dtype) =>
    random.normal(shape, { mean, std: stddev, dtype }),
  )

export const truncatedNormalInitializer = ({ mean = 0, stddev = 0.05 } = {}): Initializer =>
  named('TruncatedNormal', { mean, stddev, seed: null }, (shape, dtype) =>
    random.truncatedNormal(shape, { mean, std: stddev, dtype }),
  )

/** Rows of `a` [m, n], m <= n, made orthonormal one after another (Gram-Schmidt, each row twice for accuracy). */
function orthonormalRows(a: Tensor): Tensor {
  const [rows] = a.shape
  const remove = (q: Tensor, v: Tensor): Tensor => sub(v, mv(t(q), mv(q, v)))
  const [result] = scan(
    (q: Tensor, x: { row: Tensor; place: Tensor }) => {
      const v = remove(q, remove(q, x.row))
      const length = sum(mul(v, v)).sqrt()
      return [q.add(outer(x.place, v.div(length))), null] as const
    },
    zeros(a.shape, { dtype: a.dtype }),
    { row: a, place: eye(rows, rows, { dtype: a.dtype }) },
  )
  return result
}

/** A random orthogonal matrix (Saxe et al. 2014); leading dimensions of the shape are flattened. */
export const orthogonal = ({ gain = 1 } = {}): Initializer =>
  named('Orthogonal', { gain, seed: null }, (shape, dtype) => {
    if (shape.length < 2)
      throw new RangeError(`the orthogonal initializer needs two dimensions or more, got [${shape.join(', ')}]`)
    const columns = shape[shape.length - 1]
    const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1)
    const [few, many] = [Math.min(rows, columns), Math.max(rows, columns)]
    const q = orthonormalRows(random.normal([few, many], { dtype }))
    return mul(reshape(rows > columns ? t(q) : q, shape), gain)
  })

/** gain on the diagonal of a matrix, 0 elsewhere. */
export const identityInitializer = ({ gain = 1 } = {}): Initializer =>
  named('Identity', { gain }, (shape, dtype) => {
    if (shape.length !== 2)
      throw new RangeError(`the identity initializer needs two dimensions, got [${shape.join(', ')}]`)
    return mul(eye(shape[0], shape[1], { dtype }), gain)
  })

const BY_NAME: Record<string, (config: Record<string, number>) => Initializer> = {
  zeros: zerosInitializer,
  ones: onesInitializer,
  constant: ({ value = 0 }) => constantInitializer(value),
  glorotuniform: glorotUniform,
  glorotnormal: glorotNormal,
  heuniform: heUniform,
  henormal: heNormal,
  lecununiform: lecunUniform,
  lecunnormal: lecunNormal,
  randomuniform: uniformInitializer,
  uniform: uniformInitializer,
  randomnormal: normalInitializer,
  normal: normalInitializer,
  truncatednormal: truncatedNormalInitializer,
  variancescaling: (config) => varianceScaling(config as Parameters<typeof varianceScaling>[0]),
  orthogonal,
  orthogonalinitializer: orthogonal,
  identity: identityInitializer,
  identityinitializer: identityInitializer,
}

/** What a layer option takes: a function, a name in Keras' spelling, or a Keras config. */
export type InitializerLike = Initializer | string | KerasObject

/** @throws RangeError naming the unknown initializer and the known ones. */
export function getInitializer(like: InitializerLike): Initializer {
  if (typeof like === 'function') return like
  const name = typeof like === 'string' ? like : like.class_name
  const make = BY_NAME[canonicalName(name)]
  if (!make) throw new RangeError(`unknown initializer '${name}'; known: ${Object.keys(BY_NAME).join(', ')}`)
  return make((typeof like === 'string' ? {} : camelKeys(like.config)) as Record<string, number>)
}

/** An initializer as Keras writes it. */
export const serializeInitializer = (like: InitializerLike): KerasObject =>
  descriptionOf(getInitializer(like), 'initializer')
