import { type Tensor, tensor } from '../tensor/index.js'
import { UNK_ID } from '../text/char-vocab.js'
import type { ChatMessage } from '../text/chat/index.js'
import { compiledForward, type LoadedModel } from './model-folder.node.js'
import { type GenerateOptions, type Generation, stopsOf, type TextGenerator } from './text-generation.js'
import { checkCount, softmaxOf } from './types.js'

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

  const generate = async (
    prompt: string | readonly ChatMessage[],
    options: GenerateOptions = {},
  ): Promise<Generation> => {
    if (typeof prompt !== 'string') throw new TypeError(`${name} continues texts; it was given a conversation`)
    const { temperature = 1, seed = 0, signal, onText } = options
    if (!(temperature >= 0)) throw new RangeError(`temperature must be at least 0, got ${temperature}`)
    const maxLength = checkCount('maxLength', options.maxLength ?? 200)
    const topK = checkCount('topK', options.topK ?? vocab.size)
    if (options.settings || options.truncation || options.returnTokens)
      throw new RangeError(`${name} writes characters: settings, truncation and tokens are for published checkpoints`)
    const stops = stopsOf(options)
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
