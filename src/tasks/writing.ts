/** Writing by a published checkpoint: what continuing a prompt and rewriting a text have in common. */
import { type GenerationOptions, generate } from '../generate/index.js'
import type { ModelInputs } from '../models/index.js'
import { seed } from '../tensor/index.js'
import { type GenerateOptions, type Generation, stopsOf } from './text-generation.js'
import type { TextModel } from './text-model.js'
import { checkCount } from './types.js'

/** Settings of the call: its own names win over `settings`, which win over the checkpoint's. */
export function settingsOf({ maxLength, temperature, topK, settings = {} }: GenerateOptions): GenerationOptions {
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

/** Tokens to come, as far as options and checkpoint say, after `prompt` of them. */
export function newTokens({ model }: TextModel, settings: GenerationOptions, prompt: number): number {
  const file = (model.generationConfig ?? {}) as GenerationOptions
  const own = settings.max_new_tokens ?? (settings.max_length ? settings.max_length - prompt : undefined)
  return own ?? file.max_new_tokens ?? (file.max_length ? file.max_length - prompt : 20)
}

export interface WritingTask {
  readonly inputs: ModelInputs
  readonly settings: GenerationOptions
  /** Tokens that every result begins with: those of the prompt, or of the decoder's start. */
  readonly promptLength: number
  /** Those tokens, where results should repeat them. */
  readonly promptIds?: readonly number[]
  readonly prompt: string
}

/** Rows of new tokens. */
async function tokensOf(text: TextModel, task: WritingTask, options: GenerateOptions): Promise<number[][]> {
  const { tokenizer, model } = text
  const { inputs, settings, promptLength } = task
  const stops = stopsOf(options)
  const stopper = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stopper.signal]) : stopper.signal
  const stream = tokenizer.decodeStream({ skipSpecialTokens: true })
  const written: number[] = []
  const onTokens = ([token]: readonly number[]): void => {
    written.push(token)
    const piece = stream.step(token)
    if (piece) options.onText?.(piece)
    const ends = stops.length > 0 && stopAt(tokenizer.decode(written, { skipSpecialTokens: true }), stops) >= 0
    if (ends) stopper.abort()
  }
  try {
    const { sequences } = await generate(model, inputs, settings, { signal, onTokens })
    const rest = stream.end()
    if (rest) options.onText?.(rest)
    return sequences.map((row) => row.slice(promptLength))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (!stopper.signal.aborted) throw error
    return [written]
  }
}

/** Writes a text, and further ones where the settings ask for several. */
export async function write(text: TextModel, task: WritingTask, options: GenerateOptions): Promise<Generation> {
  if (options.seed !== undefined) seed(options.seed)
  const rows = await tokensOf(text, task, options)
  const texts = rows.map((row) => text.tokenizer.decode(row, { skipSpecialTokens: true }))
  const cut = stopAt(texts[0], stopsOf(options))
  const full = newTokens(text, task.settings, task.promptLength) <= rows[0].length
  return {
    text: cut < 0 ? texts[0] : texts[0].slice(0, cut),
    prompt: task.prompt,
    finish: cut >= 0 || !full ? 'stop' : 'length',
    ...(options.returnTokens ? { tokens: rows.map((row) => [...(task.promptIds ?? []), ...row]) } : {}),
    ...(texts.length > 1 ? { others: texts.slice(1) } : {}),
    model: text.name,
  }
}
