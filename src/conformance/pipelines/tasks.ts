/** Our tasks called as transformers' pipelines are, and their results in its layout. */
import { camelKeys } from '../../nn/serial.js'
import type { Answer, Classification, Entity, Features, Pipelines, TaskName } from '../../tasks/index.node.js'
import type { ChatMessage } from '../../text/chat/index.js'

/** A call that a reference holds. */
export interface PipelineCase {
  /** Inputs as the pipeline takes them. */
  readonly args: unknown
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly result: unknown
}

type Call<T extends TaskName> = (pipeline: Pipelines[T], record: PipelineCase) => Promise<unknown>

/** Options in our spelling; null says "all" there, which leaving it out says here. */
const optionsOf = (kwargs: PipelineCase['kwargs']): Record<string, unknown> =>
  Object.fromEntries(Object.entries(camelKeys(kwargs)).filter(([, value]) => value !== null))

/** One input, or each of several. */
async function each<I>(args: unknown, call: (input: I) => Promise<unknown>): Promise<unknown> {
  if (!Array.isArray(args)) return call(args as I)
  const results: unknown[] = []
  for (const input of args as I[]) results.push(await call(input))
  return results
}

const codePoints = (text: string, end: number): number => Array.from(text.slice(0, end)).length

/** Places in code points, as Python counts. */
const inCodePoints = <P extends { readonly start: number; readonly end: number }>(place: P, text: string): P => ({
  ...place,
  start: codePoints(text, place.start),
  end: codePoints(text, place.end),
})

type TextInput = string | { readonly text: string; readonly text_pair: string }

const classify: Call<'text-classification'> = async (pipeline, { args, kwargs }) => {
  const { topK, ...rest } = optionsOf(kwargs)
  const all = 'top_k' in kwargs
  const many = async (inputs: readonly TextInput[]): Promise<Classification[]> =>
    pipeline(
      inputs.map((input) => (typeof input === 'string' ? input : { text: input.text, textPair: input.text_pair })),
      { ...rest, ...(all ? (topK === undefined ? {} : { topK: Number(topK) }) : { topK: 1 }) },
    )
  const listed = (found: Classification): unknown => found.labels
  if (Array.isArray(args)) {
    const found = await many(args as TextInput[])
    return all ? found.map(listed) : found.map(({ label, score }) => ({ label, score }))
  }
  const [found] = await many([args as TextInput])
  // A dictionary without top_k gives one entry, a text a list of one.
  if (!all && typeof args !== 'string') return { label: found.label, score: found.score }
  return listed(found)
}

const tokens: Call<'token-classification'> = (pipeline, { args, kwargs }) => {
  const { isSplitIntoWords: words, ...options } = optionsOf(kwargs)
  const one = async (input: string | readonly string[]): Promise<Entity[]> => {
    const delimiter = typeof options.delimiter === 'string' ? options.delimiter : ' '
    const text = typeof input === 'string' ? input : input.join(delimiter)
    const [found] = await pipeline([input], options)
    return found.map((entity) => inCodePoints(entity, text))
  }
  const single = words && Array.isArray(args) && args.every((word) => typeof word === 'string')
  return single ? one(args as readonly string[]).then((found) => [found]) : each(args, one)
}

const nested = ({ shape: [rows, width], data }: Features): number[][] =>
  Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * width, (i + 1) * width)))

const fill: Call<'fill-mask'> = (pipeline, { args, kwargs }) =>
  each(args, async (text: string) => {
    const masks = await pipeline(text, optionsOf(kwargs))
    return masks.length === 1 ? masks[0] : masks
  })

const zeroShot: Call<'zero-shot-classification'> = (pipeline, { args, kwargs }) => {
  // The generator kept the arguments' list: the first is the input, the second repeats options.
  const input = Array.isArray(args) && typeof args[1] === 'object' && args[1] !== null ? args[0] : args
  const { candidateLabels, ...options } = optionsOf(kwargs)
  return each(input, async (text: string) => {
    const labels = candidateLabels as readonly string[]
    const {
      sequence,
      labels: found,
      scores,
    } = await pipeline(text, {
      truncation: true,
      ...options,
      candidateLabels: labels,
    })
    return { sequence, labels: found, scores }
  })
}

const answers: Call<'question-answering'> = (pipeline, { args, kwargs }) =>
  each(args, async (input: { readonly question: string; readonly context: string }) => {
    const found = (await pipeline(input, optionsOf(kwargs))).map(
      (answer): Answer => inCodePoints(answer, input.context),
    )
    return found.length === 1 ? found[0] : found
  })

/** Options of the pipeline; all others are generation settings. */
interface WriteOptions {
  readonly return_full_text?: boolean
  readonly return_text?: boolean
  readonly return_tensors?: boolean
  readonly prefix?: string
  readonly tools?: readonly unknown[]
  readonly documents?: readonly unknown[]
  /** Drops the start of prompts that are too long. */
  readonly handle_long_generation?: 'hole'
  readonly clean_up_tokenization_spaces?: boolean
  readonly truncation?: boolean
}

/** A conversation with what was written: a message of its own, or the rest of the last. */
function conversation(messages: readonly ChatMessage[], text: string): readonly ChatMessage[] {
  const last = messages[messages.length - 1]
  if (last?.role !== 'assistant') return [...messages, { role: 'assistant', content: text }]
  return [...messages.slice(0, -1), { ...last, content: `${String(last.content)}${text}` }]
}

const isChat = (args: unknown): args is readonly ChatMessage[] =>
  Array.isArray(args) && args.length > 0 && args.every((item) => typeof item === 'object' && 'role' in item)

const write: Call<'text-generation'> = async (pipeline, { args, kwargs }) => {
  const {
    return_full_text: whole = true,
    return_text: _,
    return_tensors: tensors = false,
    prefix = '',
    tools,
    documents,
    handle_long_generation: long,
    clean_up_tokenization_spaces: __,
    truncation = long === 'hole',
    ...settings
  } = kwargs as WriteOptions
  const one = async (prompt: string | readonly ChatMessage[]): Promise<unknown> => {
    const options = { settings, truncation, tools, documents, returnTokens: tensors }
    const {
      text,
      others = [],
      tokens = [],
    } = await pipeline(typeof prompt === 'string' ? prefix + prompt : prompt, options)
    if (tensors) return tokens.map((ids) => ({ generated_token_ids: ids }))
    return [text, ...others].map((written) => ({
      generated_text: !whole ? written : typeof prompt === 'string' ? prompt + written : conversation(prompt, written),
    }))
  }
  return isChat(args) ? one(args) : each(args, one)
}

/** Tasks whose references can be run, by name. */
export const CALLS: { readonly [T in TaskName]?: Call<T> } = {
  'text-classification': classify,
  'token-classification': tokens,
  'fill-mask': fill,
  'feature-extraction': (pipeline, { args, kwargs }) =>
    each(args, async (text: string) => {
      const { tokenize_kwargs: lengths, ...others } = kwargs
      const options = optionsOf({ ...others, ...(lengths as PipelineCase['kwargs'] | undefined) })
      return [nested(await pipeline(text, options))]
    }),
  'zero-shot-classification': zeroShot,
  'question-answering': answers,
  'text-generation': write,
}
