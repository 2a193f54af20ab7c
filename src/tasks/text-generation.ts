import { type GenerationOptions, generate } from '../generate/index.js'
import { seed, tensor } from '../tensor/index.js'
import type { TextModel } from './text-model.js'
import { checkCount } from './types.js'

export interface GenerateOptions {
  /** Characters (models of characters) or tokens to write at most. Default 200 characters, or as the checkpoint says. */
  readonly maxLength?: number
  /** Below 1 sharper, above 1 flatter; 0 takes the most probable every time. Default 1, or as the checkpoint says. */
  readonly temperature?: number
  /** Draws among the so many most probable only. Default: among all, or as the checkpoint says. */
  readonly topK?: number
  /** The same seed writes the same text. Default 0; published checkpoints draw from the process's stream unless a seed is given. */
  readonly seed?: number
  /** Ends the text where one of these has been written; it is not part of the result. */
  readonly stop?: string | readonly string[]
  /** Published checkpoints: fields of `generation_config.json`, such as `num_beams`, `top_p`, `repetition_penalty`. */
  readonly settings?: GenerationOptions
  /** Published checkpoints: drops the start of prompts that leave no room for what is to be written. Default false: an error. */
  readonly truncation?: boolean
  readonly signal?: AbortSignal
  /** Hears what is written as it is written. */
  readonly onText?: (text: string) => void
}

export interface Generation {
  /** What was written, without the prompt. */
  readonly text: string
  readonly prompt: string
  /** Why it ended. */
  readonly finish: 'length' | 'stop'
  /** Further texts where the settings ask for several (`num_return_sequences`). */
  readonly others?: readonly string[]
  readonly model: string
}

/** Continues texts. */
export interface TextGenerator {
  readonly task: 'text-generation'
  readonly model: string
  (prompt: string, options?: GenerateOptions): Promise<Generation>
}

/** Texts to stop at. */
export const stopsOf = ({ stop }: GenerateOptions): string[] =>
  (typeof stop === 'string' ? [stop] : [...(stop ?? [])]).filter((text) => text !== '')

/** Settings of the call: its own names win over `settings`, which win over the checkpoint's. */
function settingsOf({ maxLength, temperature, topK, settings = {} }: GenerateOptions): GenerationOptions {
  if (temperature !== undefined && !(temperature >= 0))
    throw new RangeError(`temperature must be at least 0, got ${temperature}`)
  const sampling =
    temperature === undefined ? {} : temperature === 0 ? { do_sample: false } : { do_sample: true, temperature }
  return {
    ...settings,
    ...(maxLength === undefined ? {} : { max_new_tokens: checkCount('maxLength', maxLength) }),
    ...(topK === undefined ? {} : { top_k: checkCount('topK', topK) }),
    ...sampling,
  }
}

/** Where the first of `stops` begins; -1 where there is none. */
const stopAt = (text: string, stops: readonly string[]): number => {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
  return found.length > 0 ? Math.min(...found) : -1
}

/** Tokens to come, as far as options and checkpoint say. */
function newTokens({ model }: TextModel, settings: GenerationOptions, prompt: number): number {
  const file = (model.generationConfig ?? {}) as GenerationOptions
  const own = settings.max_new_tokens ?? (settings.max_length ? settings.max_length - prompt : undefined)
  return own ?? file.max_new_tokens ?? (file.max_length ? file.max_length - prompt : 20)
}

/** Ids of the prompt, no longer than leaves room for what is to be written. */
function promptIds(text: TextModel, prompt: string, settings: GenerationOptions, truncation: boolean): number[] {
  const { backend, bosTokenId } = text.tokenizer
  const ids = backend.encode(prompt, null, { truncation: null, padding: null }).ids
  if (ids.length === 0) {
    if (bosTokenId === null)
      throw new RangeError(`${text.name} needs a prompt: its tokenizer has no token to begin with`)
    return [bosTokenId]
  }
  if (text.limit === null) return ids
  const room = text.limit - newTokens(text, settings, ids.length)
  if (ids.length <= room) return ids
  if (!truncation || room < 1)
    throw new RangeError(
      `the prompt has ${ids.length} tokens and ${text.limit - room} are to be written, ${text.name} reads ${text.limit}: shorten it, set a smaller maxLength, or ask for truncation`,
    )
  return ids.slice(ids.length - room)
}

/** Text generation by a published checkpoint. */
export function publishedTextGenerator(text: TextModel): TextGenerator {
  const { name, model, tokenizer } = text
  const decode = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecialTokens: true })

  async function streamed(ids: number[], settings: GenerationOptions, options: GenerateOptions) {
    const stops = stopsOf(options)
    const stopper = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, stopper.signal]) : stopper.signal
    const stream = tokenizer.decodeStream({ skipSpecialTokens: true })
    const written: number[] = []
    const onTokens = ([token]: readonly number[]): void => {
      written.push(token)
      const piece = stream.step(token)
      if (piece) options.onText?.(piece)
      if (stops.length > 0 && stopAt(decode(written), stops) >= 0) stopper.abort()
    }
    try {
      const input_ids = tensor(Int32Array.from(ids), { shape: [1, ids.length] })
      const { sequences } = await generate(model, { input_ids }, settings, { signal, onTokens })
      const rest = stream.end()
      if (rest) options.onText?.(rest)
      return sequences
    } catch (error) {
      options.signal?.throwIfAborted()
      if (!stopper.signal.aborted) throw error
      return [[...ids, ...written]]
    }
  }

  const write = async (prompt: string, options: GenerateOptions = {}): Promise<Generation> => {
    const settings = settingsOf(options)
    const ids = promptIds(text, prompt, settings, options.truncation ?? false)
    if (options.seed !== undefined) seed(options.seed)
    const sequences = await streamed(ids, settings, options)
    const texts = sequences.map((row) => decode(row.slice(ids.length)))
    const cut = stopAt(texts[0], stopsOf(options))
    const full = newTokens(text, settings, ids.length) <= sequences[0].length - ids.length
    return {
      text: cut < 0 ? texts[0] : texts[0].slice(0, cut),
      prompt,
      finish: cut >= 0 || !full ? 'stop' : 'length',
      ...(texts.length > 1 ? { others: texts.slice(1) } : {}),
      model: name,
    }
  }
  return Object.assign(write, { task: 'text-generation' as const, model: name })
}
