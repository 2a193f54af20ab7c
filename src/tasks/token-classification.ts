import { Bpe, buildDecoder, type Encoding } from '../text/tokenizers/index.js'
import { AGGREGATIONS, type AggregationStrategy, aggregate, type Entity, type TokenScores } from './entities.js'
import { type LengthOptions, labelsOf, type RunOptions, type TextModel } from './text-model.js'
import { inputName, softmaxOf } from './types.js'

export interface TokenClassifyOptions extends LengthOptions, RunOptions {
  /** How tokens become entities. Default 'none': each token on its own. */
  readonly aggregationStrategy?: AggregationStrategy
  /** Classes that are no entities. Default ['O']. */
  readonly ignoreLabels?: readonly string[]
  /** Reads long texts in windows that share so many tokens; needs an aggregation strategy. */
  readonly stride?: number
  /** Joins texts given as words. Default a space. */
  readonly delimiter?: string
}

/** Classifies the tokens of texts: names, places, parts of speech. */
export interface TokenClassifier {
  readonly task: 'token-classification'
  readonly model: string
  readonly labels: readonly string[]
  /** @throws RangeError for a text longer than the model reads, unless truncation or a stride is asked for */
  (text: string, options?: TokenClassifyOptions): Promise<Entity[]>
  /** Of each text; a text may be given as its words. */
  (texts: readonly (string | readonly string[])[], options?: TokenClassifyOptions): Promise<Entity[][]>
}

/** A text with its windows. */
interface Read {
  readonly text: string
  /** Where each word starts, for texts given as words. */
  readonly starts: readonly number[] | null
  readonly windows: readonly Encoding[]
}

/** Joins tokens to a text as the tokenizer's decoder does. */
function joinerOf({ tokenizer: { backend } }: TextModel): (tokens: readonly string[]) => string {
  const json = backend.partJson('decoder')
  if (json === null) return (tokens) => tokens.join(' ')
  const decode = buildDecoder(json)
  return (tokens) => decode(tokens).join('')
}

/** Whether tokens that go on within a word are marked as such. */
function marksSubwords({ tokenizer: { backend } }: TextModel): boolean {
  const { model } = backend
  return model.type === 'WordPiece' || (model instanceof Bpe && Boolean(model.options.continuingSubwordPrefix))
}

const codePoints = (text: string): number => Array.from(text).length

/** Where in its text a token of a window comes from, and whether it goes on within a word. */
function tokenScores(
  { text, starts }: Read,
  window: Encoding,
  scoresAt: (token: number) => number[],
  { marked, unknown }: { readonly marked: boolean; readonly unknown: number | null },
): TokenScores[] {
  const { ids, tokens, offsets, wordIds, specialTokensMask } = window
  return [...ids.keys()]
    .filter((i) => !specialTokensMask[i])
    .map((i) => {
      const shift = starts ? (starts[wordIds[i] ?? 0] ?? 0) : 0
      const [start, end] = [offsets[i][0] + shift, offsets[i][1] + shift]
      const source = text.slice(start, end)
      const isUnknown = ids[i] === unknown
      const isSubword = marked
        ? codePoints(tokens[i]) !== codePoints(source)
        : start > 0 && !text.slice(start - 1, start + 1).includes(' ')
      return {
        word: isUnknown ? source : tokens[i],
        scores: scoresAt(i),
        start,
        end,
        index: i,
        isSubword: isSubword && !isUnknown,
      }
    })
}

/** Of entities that overlap, from windows, the longest, then the most probable. */
function withoutOverlaps(entities: readonly Entity[]): Entity[] {
  const kept: Entity[] = []
  for (const entity of [...entities].sort((a, b) => a.start - b.start)) {
    const last = kept[kept.length - 1]
    if (!last || entity.start >= last.end) kept.push(entity)
    else {
      const longer = entity.end - entity.start - (last.end - last.start)
      if (longer > 0 || (longer === 0 && entity.score > last.score)) kept[kept.length - 1] = entity
    }
  }
  return kept
}

export function tokenClassifier(text: TextModel): TokenClassifier {
  const { name, tokenizer } = text
  const labels = labelsOf(text.model)
  const read = text.reader('token-classification', ({ logits }) => ({ logits }))
  const rules = { marked: marksSubwords(text), unknown: tokenizer.unkTokenId }
  const join = joinerOf(text)

  function open(input: string | readonly string[], options: TokenClassifyOptions, where: string): Read {
    const { stride, delimiter = ' ' } = options
    const words = typeof input === 'string' ? null : input
    let at = 0
    const starts = words?.map((word) => {
      const start = at
      at += word.length + delimiter.length
      return start
    })
    const windows =
      stride === undefined
        ? [text.encode(input, null, options, where)]
        : text.windows(input, null, { stride, maxLength: options.maxLength })
    return { text: words ? words.join(delimiter) : (input as string), starts: starts ?? null, windows }
  }

  async function classifyAll(
    inputs: readonly (string | readonly string[])[],
    options: TokenClassifyOptions,
  ): Promise<Entity[][]> {
    const { aggregationStrategy: strategy = 'none', ignoreLabels = ['O'] } = options
    if (!AGGREGATIONS.includes(strategy))
      throw new RangeError(`aggregationStrategy must be ${AGGREGATIONS.join(', ')}, got '${String(strategy)}'`)
    if (options.stride !== undefined && strategy === 'none')
      throw new RangeError("stride needs an aggregationStrategy other than 'none'")
    const reads = inputs.map((input, i) => open(input, options, inputName(i, inputs.length)))
    const outputs = await read(
      reads.flatMap(({ windows }) => windows),
      options,
    )
    let at = 0
    return reads.map((one) => {
      const entities = one.windows.flatMap((window) => {
        const { data } = outputs[at++].logits
        const scoresAt = (i: number) => softmaxOf(data.subarray(i * labels.length, (i + 1) * labels.length))
        const found = aggregate(tokenScores(one, window, scoresAt, rules), strategy, labels, join)
        return found.filter(
          (entity) => !ignoreLabels.includes('entity' in entity ? entity.entity : entity.entity_group),
        )
      })
      return one.windows.length > 1 ? withoutOverlaps(entities) : entities
    })
  }

  const classify = async (
    input: string | readonly (string | readonly string[])[],
    options: TokenClassifyOptions = {},
  ) => (typeof input === 'string' ? (await classifyAll([input], options))[0] : classifyAll(input, options))
  return Object.assign(classify as TokenClassifier, { task: 'token-classification' as const, model: name, labels })
}
