import {
  allocateArray,
  type DType,
  dtypeKind,
  isFloat,
  isSigned,
  type Shape,
  scalarData,
  sizeOf,
  type TypedArray,
} from '../../ir/index.js'

/** What fills an input of a conformance case. */
export interface InputSpec {
  readonly dtype: DType
  readonly shape: Shape
  /** Uniform in [low, high); integers truncated. */
  readonly low?: number
  readonly high?: number
  /** Sprinkles NaN, infinities, zeros of both signs and extremes (integers: the extremes). */
  readonly specials?: boolean
  /** Exact elements instead. */
  readonly values?: readonly number[]
}

const FLOAT_SPECIALS = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  1e4,
  -3e4,
]

const INT_SPECIALS: Readonly<Partial<Record<DType, readonly (number | bigint)[]>>> = {
  i8: [-128, 127, 0, -1, 1],
  i16: [-32768, 32767, 0, -1, 1],
  u8: [0, 255, 1, 128],
  i32: [-2147483648, 2147483647, 0, -1, 1],
  u32: [0, 4294967295, 1, 2147483648],
  i64: [-(2n ** 63n), 2n ** 63n - 1n, 0, -1, 1, 2n ** 53n + 1n],
}

/** A generator of numbers in [0, 1) that depends on the seed alone (Numerical Recipes' linear congruence). */
function uniform(seed: number): () => number {
  let state = Math.imul(seed + 1, 2654435761) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

const SPECIAL_EVERY = 3

export function fill(spec: InputSpec, seed: number): TypedArray {
  const { dtype, shape, specials = false, values } = spec
  const kind = dtypeKind(dtype)
  const low = spec.low ?? (kind === 'float' ? -2 : isSigned(dtype) ? -20 : 0)
  const high = spec.high ?? (kind === 'float' ? 2 : kind === 'bool' ? 2 : 20)
  const next = uniform(seed)
  const list: readonly (number | bigint)[] = (isFloat(dtype) ? FLOAT_SPECIALS : INT_SPECIALS[dtype]) ?? []
  const out = allocateArray(dtype, sizeOf(shape))
  for (let i = 0; i < out.length; i++) {
    const drawn = low + (high - low) * next()
    const special = specials && list.length > 0 && i % SPECIAL_EVERY === 0
    const element = values
      ? values[i]
      : special
        ? list[Math.floor(next() * list.length)]
        : kind === 'float'
          ? drawn
          : Math.floor(drawn)
    out[i] = scalarData(element, dtype)[0] as never
  }
  return out
}
