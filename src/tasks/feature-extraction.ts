import type { Encoding } from '../text/tokenizers/index.js'
import type { LengthOptions, RowArray, RunOptions, TextModel } from './text-model.js'
import { inputName } from './types.js'

/** How the states of tokens become one vector: all of them, their mean, their maxima, the first token's. */
export const POOLINGS = ['none', 'mean', 'max', 'cls'] as const
export type Pooling = (typeof POOLINGS)[number]

export interface FeatureOptions extends LengthOptions, RunOptions {
  /** Default 'none': a vector for each token. */
  readonly pooling?: Pooling
  /** Scales vectors to length 1. Default false. */
  readonly normalize?: boolean
}

/** States of a text: [T, H] for its tokens, or [H] where they are pooled. */
export type Features = RowArray

/** Gives the states that a model makes of texts. */
export interface FeatureExtractor {
  readonly task: 'feature-extraction'
  readonly model: string
  /** @throws RangeError for a text longer than the model reads, unless truncation is asked for */
  (text: string, options?: FeatureOptions): Promise<Features>
  (texts: readonly string[], options?: FeatureOptions): Promise<Features[]>
}

/** Joins the vectors of tokens [T, H]. */
type Pool = (states: Float32Array, tokens: number, width: number) => Float32Array

const POOLS: { readonly [P in Exclude<Pooling, 'none'>]: Pool } = {
  mean: (states, tokens, width) => {
    const sums = new Float64Array(width)
    for (let t = 0; t < tokens; t++) for (let i = 0; i < width; i++) sums[i] += states[t * width + i]
    return Float32Array.from(sums, (sum) => sum / tokens)
  },
  max: (states, tokens, width) => {
    const highest = states.slice(0, width)
    for (let t = 1; t < tokens; t++)
      for (let i = 0; i < width; i++) highest[i] = Math.max(highest[i], states[t * width + i])
    return highest
  },
  cls: (states, _tokens, width) => states.slice(0, width),
}

/** Scales each vector of `width` numbers to length 1, in place. */
function normalise(data: Float32Array, width: number): void {
  for (let at = 0; at < data.length; at += width) {
    const part = data.subarray(at, at + width)
    const norm = Math.max(Math.hypot(...part), 1e-12)
    for (let i = 0; i < width; i++) part[i] /= norm
  }
}

function featuresOf(states: RowArray, { length }: Encoding, options: FeatureOptions): Features {
  const { pooling = 'none', normalize = false } = options
  const width = states.shape[states.shape.length - 1]
  const tokens = states.shape.length === 1 ? 1 : length
  const own = states.data.subarray(0, tokens * width)
  const data = pooling === 'none' ? own.slice() : POOLS[pooling](own, tokens, width)
  if (normalize) normalise(data, width)
  return { shape: pooling === 'none' ? [tokens, width] : [width], data }
}

export function featureExtractor(text: TextModel): FeatureExtractor {
  const { name } = text
  const read = text.reader('feature-extraction', ({ last_hidden_state: states }) => ({ states }))

  async function extractAll(texts: readonly string[], options: FeatureOptions): Promise<Features[]> {
    const { pooling = 'none' } = options
    if (!POOLINGS.includes(pooling))
      throw new RangeError(`pooling must be ${POOLINGS.join(', ')}, got '${String(pooling)}'`)
    const rows = texts.map((input, i) => text.encode(input, null, options, inputName(i, texts.length)))
    const outputs = await read(rows, options)
    return outputs.map(({ states }, i) => featuresOf(states, rows[i], options))
  }

  const extract = async (input: string | readonly string[], options: FeatureOptions = {}) =>
    typeof input === 'string' ? (await extractAll([input], options))[0] : extractAll(input, options)
  return Object.assign(extract as FeatureExtractor, { task: 'feature-extraction' as const, model: name })
}
