/** How the command line calls each task, and what it prints of the results. */
import type {
  Answer,
  Classification,
  Entity,
  Features,
  MaskFilling,
  Pipelines,
  RankedDocument,
  SearchResult,
  TaskName,
  TextRewriter,
  ZeroShotClassification,
} from '../tasks/index.node.js'
import { UsageError } from './command.js'
import type { InferenceOptions } from './inference.js'
import { linesOf } from './inputs.js'
import { printLine } from './output.js'

/** Results for machines, and a table of them for people. */
export interface TaskOutput {
  readonly results: readonly object[]
  readonly head: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
  /** People have read it already. */
  readonly shown?: boolean
}

type Run<T extends TaskName> = (
  pipeline: Pipelines[T],
  inputs: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
) => Promise<TaskOutput>

const percent = (score: number): string => `${(100 * score).toFixed(2)} %`
const decimal = (score: number): string => score.toFixed(4)

/** Drops what was not given. */
const given = <O extends object>(options: O): Partial<O> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<O>

const required = <V>(value: V | undefined, name: string, what: string): V => {
  if (value === undefined) throw new UsageError(`give ${what} with ${name}`)
  return value
}

const common = ({ batchSize, truncation, maxTokens }: InferenceOptions, signal: AbortSignal) =>
  given({ batchSize, truncation, maxLength: maxTokens, signal })

/** Rows of several results an input: the input stands beside the first. */
const grouped = <R>(
  inputs: readonly string[],
  results: readonly (readonly R[])[],
  row: (result: R) => string[],
): string[][] => results.flatMap((list, i) => list.map((result, at) => [at === 0 ? inputs[i] : '', ...row(result)]))

type Classified = Classification & { readonly input: string }

function classesOutput(found: readonly Classified[], { topK }: InferenceOptions): TaskOutput {
  const listed = topK !== undefined && topK > 1
  return {
    results: found.map(({ input, label, score, labels }) => ({ input, label, score, labels })),
    head: ['input', 'label', 'score'],
    rows: grouped(
      found.map(({ input }) => input),
      found.map((one) => (listed ? one.labels : [one])),
      ({ label, score }) => [label, percent(score)],
    ),
  }
}

const textClassification: Run<'text-classification'> = async (pipeline, inputs, options, signal) => {
  const { topK, pair, scores } = options
  const texts = pair === undefined ? inputs : inputs.map((text) => ({ text, textPair: pair }))
  const found = await pipeline(texts, given({ ...common(options, signal), topK, functionToApply: scores }))
  return classesOutput(
    found.map((one, i) => ({ input: inputs[i], ...one })),
    options,
  )
}

const imageClassification: Run<'image-classification'> = async (pipeline, inputs, options, signal) => {
  const { topK, batchSize } = options
  return classesOutput(await pipeline(inputs, given({ topK, batchSize, signal })), options)
}

const tokenClassification: Run<'token-classification'> = async (pipeline, inputs, options, signal) => {
  const { aggregation: aggregationStrategy = 'simple', stride } = options
  const found: Entity[][] = await pipeline(inputs, given({ ...common(options, signal), aggregationStrategy, stride }))
  const nameOf = (entity: Entity): string => ('entity' in entity ? entity.entity : entity.entity_group)
  return {
    results: found.map((entities, i) => ({ input: inputs[i], entities })),
    head: ['input', 'text', 'class', 'score', 'place'],
    rows: found.flatMap((entities, i) =>
      entities.map((entity, at) => [
        at === 0 ? inputs[i] : '',
        inputs[i].slice(entity.start, entity.end),
        nameOf(entity),
        percent(entity.score),
        `${entity.start}-${entity.end}`,
      ]),
    ),
  }
}

const fillMask: Run<'fill-mask'> = async (pipeline, inputs, options, signal) => {
  const { topK, targets } = options
  const found: MaskFilling[][][] = await pipeline(inputs, given({ ...common(options, signal), topK, targets }))
  return {
    results: found.map((masks, i) => ({ input: inputs[i], masks })),
    head: ['input', 'token', 'score', 'text'],
    rows: grouped(
      inputs,
      found.map((masks) => masks.flat()),
      ({ token_str, score, sequence }) => [token_str, percent(score), sequence],
    ),
  }
}

const zeroShot: Run<'zero-shot-classification'> = async (pipeline, inputs, options, signal) => {
  const { template: hypothesisTemplate, multiLabel, topK } = options
  const candidateLabels = required(options.labels, '--labels', 'the classes to choose from, as in a,b,c,')
  const settings = given({ ...common(options, signal), hypothesisTemplate, multiLabel })
  const found: ZeroShotClassification[] = await pipeline(inputs, { ...settings, candidateLabels })
  return {
    results: found.map(({ sequence, labels, scores }) => ({ input: sequence, labels, scores })),
    head: ['input', 'label', 'score'],
    rows: grouped(
      inputs,
      found.map(({ labels, scores }) => labels.slice(0, topK).map((label, i) => ({ label, score: scores[i] }))),
      ({ label, score }) => [label, percent(score)],
    ),
  }
}

const questionAnswering: Run<'question-answering'> = async (pipeline, inputs, options, signal) => {
  const question = required(options.question, '--question', 'what is asked of the texts')
  const { topK, stride, impossible: handleImpossibleAnswer, batchSize, maxTokens: maxLength } = options
  const settings = given({ topK, stride, handleImpossibleAnswer, batchSize, maxLength, signal })
  const found: Answer[][] = await pipeline(
    inputs.map((context) => ({ question, context })),
    settings,
  )
  return {
    results: found.map((answers, i) => ({ input: inputs[i], question, answers })),
    head: ['input', 'answer', 'score', 'place'],
    rows: grouped(inputs, found, ({ answer, score, start, end }) => [answer, percent(score), `${start}-${end}`]),
  }
}

const nested = ({ shape, data }: Features): number[] | number[][] => {
  const width = shape[shape.length - 1]
  const rows = Array.from({ length: data.length / width }, (_, i) =>
    Array.from(data.subarray(i * width, (i + 1) * width)),
  )
  return shape.length === 1 ? rows[0] : rows
}

const featureExtraction: Run<'feature-extraction'> = async (pipeline, inputs, options, signal) => {
  const { pooling, normalize } = options
  const found: Features[] = await pipeline(inputs, given({ ...common(options, signal), pooling, normalize }))
  const beginning = (data: Float32Array): string => Array.from(data.subarray(0, 4), decimal).join(', ')
  return {
    results: found.map((features, i) => ({ input: inputs[i], shape: features.shape, features: nested(features) })),
    head: ['input', 'shape', 'first values'],
    rows: found.map(({ shape, data }, i) => [inputs[i], `[${shape.join(', ')}]`, `${beginning(data)}, ...`]),
  }
}

const sentenceSimilarity: Run<'sentence-similarity'> = async (pipeline, inputs, options, signal) => {
  const source = required(options.source, '--source', 'the sentence to compare with')
  const { pooling } = options
  if (pooling === 'none') throw new UsageError('--pooling none gives no vector of a sentence')
  const found = await pipeline(source, inputs, given({ ...common(options, signal), pooling }))
  const ranked = [...found].sort((a, b) => b.score - a.score).slice(0, options.topK)
  return {
    results: ranked.map(({ sentence, score }) => ({ input: sentence, source, score })),
    head: ['sentence', 'similarity'],
    rows: ranked.map(({ sentence, score }) => [sentence, decimal(score)]),
  }
}

const semanticSearch: Run<'semantic-search'> = async (search, queries, options, signal) => {
  const corpus = required(options.corpus, '--corpus', 'the file of texts to search in')
  const { readTextFile } = await import('../formats/index.node.js')
  const shared = given(common(options, signal))
  const texts = linesOf(await readTextFile(corpus))
  const index = await search.index(texts, { ...shared, ...given({ folder: options.index }) })
  const found: SearchResult[][] = []
  for (const query of queries) found.push(await search(query, index, { ...shared, topK: options.topK ?? 5 }))
  return {
    results: found.map((results, i) => ({ input: queries[i], results })),
    head: ['query', 'text', 'similarity'],
    rows: grouped(queries, found, ({ text, score }) => [text, decimal(score)]),
  }
}

const reranking: Run<'reranking'> = async (rank, documents, options, signal) => {
  const query = required(options.source, '--source', 'the query')
  const found: RankedDocument[] = await rank(
    query,
    documents,
    given({ ...common(options, signal), topK: options.topK }),
  )
  return {
    results: found.map(({ document, index, score }) => ({ input: document, query, index, score })),
    head: ['document', 'score'],
    rows: found.map(({ document, score }) => [document, percent(score)]),
  }
}

const textGeneration: Run<'text-generation'> = async (pipeline, prompts, options, signal) => {
  const { json, maxLength, temperature, topK, seed, stop, settings, truncation } = options
  const asked = given({ maxLength, temperature, topK, seed, stop, settings, truncation, signal })
  const results: object[] = []
  for (const prompt of prompts) {
    if (!json) process.stdout.write(prompt)
    let streamed = ''
    const onText = (text: string): void => {
      streamed += text
      process.stdout.write(text)
    }
    const { model: _, ...result } = await pipeline(prompt, { ...asked, ...(json ? {} : { onText }) })
    results.push(result)
    // Beams are known at the end only.
    if (!json) printLine(streamed === '' ? result.text : '')
  }
  return { results, head: [], rows: [], shown: true }
}

const rewrite = async (
  pipeline: TextRewriter,
  inputs: readonly string[],
  options: InferenceOptions,
  signal: AbortSignal,
): Promise<TaskOutput> => {
  const { maxLength, temperature, topK, seed, stop, settings, truncation } = options
  const { from: sourceLanguage, to: targetLanguage, prefix } = options
  const asked = {
    maxLength,
    temperature,
    topK,
    seed,
    stop,
    settings,
    truncation,
    sourceLanguage,
    targetLanguage,
    prefix,
  }
  const found = await pipeline(inputs, given({ ...asked, signal }))
  return {
    results: found.map(({ text, prompt, finish, others }) => ({ input: prompt, text, finish, others })),
    head: ['input', 'text'],
    rows: found.map(({ prompt, text }) => [prompt, text]),
  }
}

export const RUNS: { readonly [T in TaskName]: Run<T> } = {
  'text-classification': textClassification,
  'token-classification': tokenClassification,
  'fill-mask': fillMask,
  'question-answering': questionAnswering,
  'zero-shot-classification': zeroShot,
  'feature-extraction': featureExtraction,
  'sentence-similarity': sentenceSimilarity,
  'semantic-search': semanticSearch,
  reranking,
  'text-generation': textGeneration,
  'text2text-generation': rewrite,
  summarization: rewrite,
  translation: rewrite,
  'image-classification': imageClassification,
}
