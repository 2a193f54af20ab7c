import { type FeatureExtractor, featureExtractor, type Pooling } from './feature-extraction.js'
import type { LengthOptions, RunOptions, TextModel } from './text-model.js'

export interface SimilarityOptions extends LengthOptions, RunOptions {
  /** How vectors of tokens become one. Default: as the folder's `1_Pooling/config.json` says, else their mean. */
  readonly pooling?: Exclude<Pooling, 'none'>
}

/** A sentence beside the one it was compared with. */
export interface Similarity {
  readonly sentence: string
  /** Cosine of the angle between the vectors, -1 to 1. */
  readonly score: number
}

/** Compares sentences by their vectors. */
export interface SentenceComparer {
  readonly task: 'sentence-similarity'
  readonly model: string
  /** How near each sentence is to `source`, in the order given. */
  (source: string, sentences: readonly string[], options?: SimilarityOptions): Promise<Similarity[]>
  /** Vectors of length 1. */
  embed(texts: readonly string[], options?: SimilarityOptions): Promise<Float32Array[]>
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0)

/** `own`: what the model was made with; a length past what the model reads is passed over. */
export function sentenceComparer(text: TextModel, own: SimilarityOptions = {}): SentenceComparer {
  const extract: FeatureExtractor = featureExtractor(text)
  const { pooling = 'mean', maxLength } = own
  const fits = maxLength !== undefined && (text.limit === null || maxLength <= text.limit)
  const standard = { pooling, ...(fits ? { maxLength } : {}) }
  const embed = async (texts: readonly string[], options: SimilarityOptions = {}): Promise<Float32Array[]> => {
    const features = await extract(texts, { ...standard, ...options, normalize: true })
    return features.map(({ data }) => data)
  }
  const compare = async (source: string, sentences: readonly string[], options: SimilarityOptions = {}) => {
    const [first, ...others] = await embed([source, ...sentences], options)
    return sentences.map((sentence, i): Similarity => ({ sentence, score: dot(first, others[i]) }))
  }
  return Object.assign(compare, { task: 'sentence-similarity' as const, model: text.name, embed })
}
