/** Our tasks called as transformers' pipelines are, and their results in its layout. */
import { camelKeys } from '../../nn/serial.js'
import type { Answer, Classification, Entity, Features, Pipelines, TaskName } from '../../tasks/index.node.js'

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

const write: Call<'text-generation'> = (pipeline, { args, kwargs }) => {
  const { return_full_text: whole = true, ...settings } = kwargs
  return each(args, async (prompt: string) => {
    const { text, others = [] } = await pipeline(prompt, { settings })
    return [text, ...others].map((one) => ({ generated_text: whole ? prompt + one : one }))
  })
}

/** Tasks whose references can be run, by name. */
export const CALLS: { readonly [T in TaskName]?: Call<T> } = {
  'text-classification': classify,
  'token-classification': tokens,
  'fill-mask': fill,
  'feature-extraction': (pipeline, { args, kwargs }) =>
    each(args, async (text: string) => [nested(await pipeline(text, optionsOf(kwargs)))]),
  'zero-shot-classification': zeroShot,
  'question-answering': answers,
  'text-generation': write,
}
