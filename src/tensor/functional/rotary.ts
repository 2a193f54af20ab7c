import type { DType } from '../../ir/index.js'
import { composite } from '../control.js'
import { asTensor, record, type TensorLike } from '../core.js'
import { fail, typeText } from '../dims.js'
import { table } from '../ops/creation.js'
import { add, cos, mul, sin, sub, to } from '../ops/elementwise.js'
import { narrow, reshape, unsqueeze } from '../ops/shape.js'
import { cast, computeType, toFloat } from '../promote.js'
import type { Tensor } from '../tensor.js'

export interface RotaryTables {
  /** [...positions, dim / 2] */
  readonly cos: Tensor
  readonly sin: Tensor
}

export interface RotaryOptions {
  /** Base of the geometric series of wavelengths; default 10000. */
  theta?: number
  /** dim / 2 frequencies in radians a position, instead of theta^(-2i / dim). */
  frequencies?: readonly number[]
  /** Default f32. Angles are computed in f64. */
  dtype?: DType
}

/** Cosines and sines of the rotation angles of `positions` (integers of any shape) for heads of `dim` features (Su et al. 2021). */
export function rotaryTables(positions: TensorLike, dim: number, options: RotaryOptions = {}): RotaryTables {
  const { theta = 10000, dtype = 'f32' } = options
  if (!Number.isInteger(dim / 2) || dim < 0) throw fail('rotaryTables', `the dimension must be even, got ${dim}`)
  const half = dim / 2
  const frequencies = options.frequencies ?? Array.from({ length: half }, (_, i) => 1 / theta ** ((2 * i) / dim))
  if (frequencies.length !== half) throw fail('rotaryTables', `expected ${half} frequencies, got ${frequencies.length}`)
  const angles = mul(unsqueeze(to(asTensor(positions), 'f64'), -1), table(frequencies, [half], 'f64'))
  return { cos: cast(cos(angles), dtype), sin: cast(sin(angles), dtype) }
}

/** Inputs x [..., D], cos, sin [..., d / 2]; attribute interleaved. */
const rotaryBody =
  (interleaved: boolean) =>
  (inputs: Tensor[]): Tensor[] => {
    const [x] = inputs
    const [value, c, s] = inputs.map((input) => cast(input, computeType(x.dtype)))
    const half = c.shape[c.ndim - 1]
    const lead = value.shape.slice(0, -1)
    const part = (start: number): Tensor => {
      if (!interleaved) return narrow(value, -1, start * half, half)
      return reshape(narrow(reshape(narrow(value, -1, 0, 2 * half), [...lead, half, 2]), -1, start, 1), [...lead, half])
    }
    const [first, second] = [part(0), part(1)]
    const turned = [sub(mul(first, c), mul(second, s)), add(mul(second, c), mul(first, s))]
    const dimension = x.ndim - 1
    const joined = interleaved
      ? reshape(
          record(
            'concatenate',
            turned.map((y) => unsqueeze(y, -1)),
            { dimension: x.ndim },
          ),
          [...lead, 2 * half],
        )
      : record('concatenate', turned, { dimension })
    const rest = narrow(value, -1, 2 * half, value.shape[dimension] - 2 * half)
    const whole = rest.size > 0 ? record('concatenate', [joined, rest], { dimension }) : joined
    return [cast(whole, x.dtype)]
  }

/**
 * Rotates pairs of features by the angles of their positions. `x` [..., T, D]; `cos`, `sin` [..., T, d / 2] broadcast to it, d <= D; the
 * features from d on stay. Pairs are (i, i + d / 2), or (2i, 2i + 1) when `interleaved`. Composite `rope`.
 */
export function applyRotary(x: TensorLike, tables: RotaryTables, options: { interleaved?: boolean } = {}): Tensor {
  const value = toFloat(x)
  const { cos: c, sin: s } = tables
  const half = c.shape[c.ndim - 1]
  if (value.ndim === 0 || 2 * half > value.shape[value.ndim - 1])
    throw fail('applyRotary', `tables ${typeText(c)} rotate ${2 * half} features, x is ${typeText(value)}`)
  const interleaved = options.interleaved ?? false
  return composite('rope', { interleaved }, [value, c, s], rotaryBody(interleaved))[0]
}
