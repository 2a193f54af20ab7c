/** Rotary positions (Su et al. 2021) and the ways of stretching them, by the names of configs' `rope_type`. */
import { applyRotary, type RotaryTables, rotaryTables } from '../../tensor/functional/index.js'
import { cat, mul, reshape, type Tensor, unsqueeze } from '../../tensor/index.js'
import type { Json, JsonObject } from '../pretrained/config.js'

export interface RopeParameters {
  readonly rope_type: string
  readonly rope_theta: number
  readonly [field: string]: Json
}

export interface RopeFrequencies {
  /** Radians a position for each pair of features. */
  readonly frequencies: readonly number[]
  /** Factor of the cosines and sines. */
  readonly scaling: number
}

interface RopeContext {
  readonly parameters: RopeParameters
  /** Features that are rotated. */
  readonly dim: number
  /** Features of a head. */
  readonly headDim: number
  readonly maxPositions: number
  /** Tokens of the sequence so far. */
  readonly tokens: number
}

type Rule = (context: RopeContext) => RopeFrequencies

function numberField(parameters: RopeParameters, name: string, otherwise?: number): number {
  const value = parameters[name]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if ((value === undefined || value === null) && otherwise !== undefined) return otherwise
  throw new TypeError(
    `rope_parameters.${name} should be a number for ${parameters.rope_type}, got ${JSON.stringify(value)}`,
  )
}

const geometric = (theta: number, dim: number): number[] =>
  Array.from({ length: dim / 2 }, (_, i) => theta ** (-(2 * i) / dim))

const plain: Rule = ({ parameters, dim }) => ({ frequencies: geometric(parameters.rope_theta, dim), scaling: 1 })

const linear: Rule = (context) => {
  const factor = numberField(context.parameters, 'factor')
  return { frequencies: plain(context).frequencies.map((f) => f / factor), scaling: 1 }
}

/** NTK-aware: a larger base once the text is longer than the model was trained on. */
const dynamic: Rule = ({ parameters, dim, maxPositions, tokens }) => {
  const factor = numberField(parameters, 'factor')
  const length = Math.max(tokens, maxPositions)
  const stretch = ((factor * length) / maxPositions - (factor - 1)) ** (dim / (dim - 2))
  return { frequencies: geometric(parameters.rope_theta * stretch, dim), scaling: 1 }
}

/** Peng et al. 2023: low frequencies are interpolated, high ones kept, a ramp between. */
const yarn: Rule = ({ parameters, dim, maxPositions }) => {
  const original = numberField(parameters, 'original_max_position_embeddings', maxPositions)
  const factor = numberField(parameters, 'factor', maxPositions / original)
  const theta = parameters.rope_theta
  const place = (turns: number): number => (dim * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
  const truncate = parameters.truncate !== false
  const first = place(numberField(parameters, 'beta_fast', 0) || 32)
  const last = place(numberField(parameters, 'beta_slow', 0) || 1)
  const low = Math.max(truncate ? Math.floor(first) : first, 0)
  const high = Math.min(truncate ? Math.ceil(last) : last, dim - 1)
  const span = low === high ? 0.001 : high - low
  const frequencies = geometric(theta, dim).map((f, i) => {
    const ramp = Math.min(Math.max((i - low) / span, 0), 1)
    return (f / factor) * ramp + f * (1 - ramp)
  })
  return { frequencies, scaling: yarnScaling(parameters, factor) }
}

const logScale = (factor: number, weight = 1): number => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1)

function yarnScaling(parameters: RopeParameters, factor: number): number {
  if (typeof parameters.attention_factor === 'number') return parameters.attention_factor
  const [top, bottom] = [numberField(parameters, 'mscale', 0), numberField(parameters, 'mscale_all_dim', 0)]
  return top && bottom ? logScale(factor, top) / logScale(factor, bottom) : logScale(factor)
}

function factorList(parameters: RopeParameters, name: string, length: number): readonly number[] {
  const list = parameters[name]
  if (!Array.isArray(list) || list.length !== length || list.some((item) => typeof item !== 'number'))
    throw new TypeError(`rope_parameters.${name} should be a list of ${length} numbers`)
  return list as number[]
}

const longrope: Rule = ({ parameters, dim, maxPositions, tokens }) => {
  const original = numberField(parameters, 'original_max_position_embeddings', maxPositions)
  const factor = numberField(parameters, 'factor', maxPositions / original)
  const scaling = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))
  const factors = factorList(parameters, tokens > original ? 'long_factor' : 'short_factor', dim / 2)
  return {
    frequencies: geometric(parameters.rope_theta, dim).map((f, i) => f / factors[i]),
    scaling: numberField(parameters, 'attention_factor', scaling),
  }
}

const llama3: Rule = (context) => {
  const { parameters, maxPositions } = context
  const factor = numberField(parameters, 'factor')
  const [low, high] = [numberField(parameters, 'low_freq_factor'), numberField(parameters, 'high_freq_factor')]
  const original = numberField(parameters, 'original_max_position_embeddings', maxPositions)
  const frequencies = plain(context).frequencies.map((f) => {
    const wavelength = (2 * Math.PI) / f
    if (wavelength < original / high) return f
    if (wavelength > original / low) return f / factor
    const smooth = (original / wavelength - low) / (high - low)
    return ((1 - smooth) * f) / factor + smooth * f
  })
  return { frequencies, scaling: 1 }
}

/** Only the first share of the pairs turns; the others stand still. */
const proportional: Rule = ({ parameters, headDim }) => {
  const share = numberField(parameters, 'partial_rotary_factor', 1)
  const factor = numberField(parameters, 'factor', 1)
  const turning = Math.trunc((share * headDim) / 2)
  const frequencies = Array.from({ length: headDim / 2 }, (_, i) =>
    i < turning ? parameters.rope_theta ** (-(2 * i) / headDim) / factor : 0,
  )
  return { frequencies, scaling: 1 }
}

const RULES: Readonly<Record<string, Rule>> = { default: plain, linear, dynamic, yarn, longrope, llama3, proportional }

/** @throws RangeError for an unknown `rope_type`, TypeError where a rule lacks a number */
export function ropeFrequencies(
  parameters: RopeParameters,
  options: { readonly headDim: number; readonly maxPositions: number; readonly tokens: number },
): RopeFrequencies {
  if (!Object.hasOwn(RULES, parameters.rope_type))
    throw new RangeError(`unknown rope_type '${parameters.rope_type}'; there are ${Object.keys(RULES).join(', ')}`)
  const share = numberField(parameters, 'partial_rotary_factor', 1)
  const dim = 2 * Math.ceil(Math.trunc(options.headDim * share) / 2)
  return RULES[parameters.rope_type]({ parameters, dim, ...options })
}

/** One table from those of three positions [3 B, T, dim / 2]: sections of the features take turns (Wang et al. 2024). */
function mixed(x: Tensor, sections: readonly number[]): Tensor {
  const [rows, tokens, width] = x.shape
  const each = reshape(x, [3, rows / 3, tokens, width])
  let start = 0
  const parts = sections.map((length, i) => {
    const part = each.select(0, i % 3).narrow(2, start, length)
    start += length
    return part
  })
  return cat(parts, 2)
}

function sectionsOf({ mrope_section: given }: RopeParameters, width: number): readonly number[] {
  const sections = given ?? [16, 24, 24]
  const total = Array.isArray(sections) ? sections.reduce((sum: number, item) => sum + Number(item), 0) : 0
  if (total !== width)
    throw new RangeError(`rope_parameters.mrope_section should add up to ${width}, got ${JSON.stringify(sections)}`)
  return sections as readonly number[]
}

/**
 * Cosines and sines at integer positions [B or 1, T], or [3, B, T] in time, height and width, for heads [B, heads, T, D]:
 * [B or 1, 1, T, dim / 2].
 */
export function ropeTables(
  positions: Tensor,
  parameters: RopeParameters,
  options: { readonly headDim: number; readonly maxPositions: number; readonly tokens: number },
): RotaryTables {
  const { frequencies, scaling } = ropeFrequencies(parameters, options)
  const spatial = positions.ndim === 3
  const places = spatial ? reshape(positions, [-1, positions.shape[2]]) : positions
  const { cos, sin } = rotaryTables(places, 2 * frequencies.length, { frequencies })
  const sections = spatial ? sectionsOf(parameters, frequencies.length) : null
  const scaled = (x: Tensor): Tensor => {
    const one = sections ? mixed(x, sections) : x
    return unsqueeze(scaling === 1 ? one : mul(one, scaling), 1)
  }
  return { cos: scaled(cos), sin: scaled(sin) }
}

/** Turns queries and keys alike. */
export const rotate = (tables: RotaryTables, interleaved: boolean, ...parts: readonly Tensor[]): Tensor[] =>
  parts.map((part) => applyRotary(part, tables, { interleaved }))

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * `rope_parameters` from what configs of any age say: that field itself, or `rope_scaling` with `rope_theta` and
 * `partial_rotary_factor` beside it.
 */
export function readRope(
  json: JsonObject,
  defaults: { readonly theta?: number; readonly share?: number } = {},
): RopeParameters {
  const { rope_scaling: scaling, rope_parameters: parameters } = json
  const given = isObject(scaling) ? scaling : isObject(parameters) ? parameters : {}
  const pick = (name: string, otherwise: number | undefined): Json | undefined => given[name] ?? json[name] ?? otherwise
  const share = pick('partial_rotary_factor', defaults.share)
  const original = json.original_max_position_embeddings ?? given.original_max_position_embeddings
  return {
    ...given,
    rope_type: String(given.rope_type ?? given.type ?? 'default'),
    rope_theta: Number(pick('rope_theta', defaults.theta ?? 10000)),
    ...(share === undefined ? {} : { partial_rotary_factor: share }),
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
  }
}

/**
 * Rotation by kind of layer: `rope_parameters` that name kinds, or the base of each in a field of its own. `rope_scaling` of older
 * configs applies to the kinds in `scaled`.
 */
export function ropeByLayer(
  json: JsonObject,
  bases: Readonly<Record<string, readonly [field: string, standard: number]>>,
  scaled: readonly string[] = ['full_attention'],
): Readonly<Record<string, RopeParameters>> {
  const parameters = isObject(json.rope_parameters) ? json.rope_parameters : {}
  const scaling = isObject(json.rope_scaling) ? json.rope_scaling : {}
  return Object.fromEntries(
    Object.entries(bases).map(([kind, [field, standard]]) => {
      const named = parameters[kind]
      const own = isObject(named) ? named : {}
      const given = scaled.includes(kind) ? { ...own, ...scaling } : own
      const theta = own.rope_theta ?? json[field] ?? standard
      return [
        kind,
        { ...given, rope_type: String(given.rope_type ?? given.type ?? 'default'), rope_theta: Number(theta) },
      ]
    }),
  )
}
