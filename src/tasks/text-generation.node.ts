import { type Tensor, tensor } from '../tensor/index.js'
import { UNK_ID } from '../text/char-vocab.js'
import { compiledForward, type LoadedModel } from './model-folder.node.js'
import { checkCount, softmaxOf } from './types.js'

export interface GenerateOptions {
  /** Characters to write at most. Default 200. */
  readonly maxLength?: number
  /** Below 1 sharper, above 1 flatter; 0 takes the most probable character every time. Default 1. */
  readonly temperature?: number
  /** Draws among the so many most probable characters only. Default: among all. */
  readonly topK?: number
  /** The same seed writes the same text. Default 0. */
  readonly seed?: number
  /** Ends the text where one of these has been written; it is not part of the result. */
  readonly stop?: string | readonly string[]
  readonly signal?: AbortSignal
  /** Hears each character as it is written. */
  readonly onText?: (text: string) => void
}

export interface Generation {
  /** What was written, without the prompt. */
  readonly text: string
  readonly prompt: string
  /** Why it ended. */
  readonly finish: 'length' | 'stop'
  readonly model: string
}

/** Continues texts. */
export interface TextGenerator {
  readonly task: 'text-generation'
  readonly model: string
  (prompt: string, options?: GenerateOptions): Promise<Generation>
}

/** Numbers in [0, 1): mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

interface Sampling {
  readonly temperature: number
  readonly topK: number
  readonly random: () => number
}

/** Draws an id; [PAD] and [UNK] are never written. */
function draw(logits: ArrayLike<number>, { temperature, topK, random }: Sampling): number {
  const ranked = Array.from(logits, (logit, id) => ({ id, logit }))
    .slice(UNK_ID + 1)
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
  if (temperature === 0) return ranked[0].id
  const kept = ranked.slice(0, topK)
  const probabilities = softmaxOf(kept.map(({ logit }) => logit / temperature))
  let left = random()
  for (const [i, probability] of probabilities.entries()) {
    left -= probability
    if (left < 0) return kept[i].id
  }
  return kept[kept.length - 1].id
}

/**
 * Writes character by character. The model sees the last `sequence_length` characters, as in training; later steps cannot influence
 * earlier ones, so a shorter text is filled up behind.
 */
export function textGenerator(loaded: LoadedModel): TextGenerator {
  const { config, name, model, vocab } = loaded
  if (config.task !== 'language-modeling' || !vocab)
    throw new TypeError(`${name} is a model for ${config.task}, not for text-generation`)
  const window = config.sequence_length
  const forward: (x: Tensor) => Tensor = compiledForward(model)

  const nextLogits = async (ids: readonly number[]): Promise<Float32Array> => {
    const seen = ids.slice(-window)
    const block = new Int32Array(window)
    block.set(seen)
    const logits = (await forward(tensor(block, { shape: [1, window] })).data()) as Float32Array
    return logits.subarray((seen.length - 1) * vocab.size, seen.length * vocab.size)
  }

  const generate = async (prompt: string, options: GenerateOptions = {}): Promise<Generation> => {
    const { temperature = 1, seed = 0, signal, onText } = options
    if (!(temperature >= 0)) throw new RangeError(`temperature must be at least 0, got ${temperature}`)
    const maxLength = checkCount('maxLength', options.maxLength ?? 200)
    const topK = checkCount('topK', options.topK ?? vocab.size)
    const stops = (typeof options.stop === 'string' ? [options.stop] : (options.stop ?? [])).filter(
      (stop) => stop !== '',
    )
    // A text begins as if after a line's end.
    const ids = Array.from(vocab.encode(prompt === '' ? '\n' : prompt))
    const sampling: Sampling = { temperature, topK, random: randomFrom(seed) }
    let text = ''
    for (let count = 0; count < maxLength; count++) {
      signal?.throwIfAborted()
      const id = draw(await nextLogits(ids), sampling)
      ids.push(id)
      text += vocab.tokens[id]
      onText?.(vocab.tokens[id])
      const stop = stops.find((candidate) => text.endsWith(candidate))
      if (stop !== undefined)
        return { text: text.slice(0, text.length - stop.length), prompt, finish: 'stop', model: name }
    }
    return { text, prompt, finish: 'length', model: name }
  }
  return Object.assign(generate, { task: 'text-generation' as const, model: name })
}
