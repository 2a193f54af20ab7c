import type { LengthOptions, RunOptions, TextModel } from './text-model.js'
import { checkCount, inputName, softmaxOf } from './types.js'

export interface RerankOptions extends LengthOptions, RunOptions {
  /** Documents to keep. Default: all. */
  readonly topK?: number
}

export interface RankedDocument {
  readonly document: string
  /** Place in the list that was given. */
  readonly index: number
  /** Probability that it answers the query. */
  readonly score: number
}

/** Orders documents by how well they answer a query, reading each together with it (a cross-encoder). */
export interface Reranker {
  readonly task: 'reranking'
  readonly model: string
  /** Best first. @throws RangeError for texts longer than the model reads, unless truncation is asked for (the document is cut) */
  (query: string, documents: readonly string[], options?: RerankOptions): Promise<RankedDocument[]>
}

/** Models with one class score by its logit; others by the probability of their last class. */
export function reranker(text: TextModel): Reranker {
  const { name } = text
  const read = text.reader('reranking', ({ logits }) => ({ logits }))
  const scoreOf = (logits: Float32Array): number =>
    logits.length === 1 ? 1 / (1 + Math.exp(-logits[0])) : softmaxOf(logits)[logits.length - 1]
  const rank = async (query: string, documents: readonly string[], options: RerankOptions = {}) => {
    const topK = options.topK === undefined ? documents.length : checkCount('topK', options.topK)
    const length = { ...options, truncation: options.truncation === true ? 'only_second' : options.truncation } as const
    const rows = documents.map((document, i) => text.encode(query, document, length, inputName(i, documents.length)))
    const found = await read(rows, options)
    return found
      .map(({ logits }, index): RankedDocument => ({ document: documents[index], index, score: scoreOf(logits.data) }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, topK)
  }
  return Object.assign(rank, { task: 'reranking' as const, model: name })
}
