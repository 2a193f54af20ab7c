import { z } from 'zod'
import { type CallContext, Conv1D, Dense, Dropout, Embedding, type Layer, type PartialShape } from '../nn/index.js'
import {
  add,
  amax,
  bitwiseAnd,
  cat,
  constant,
  div,
  fmod,
  maximum,
  mul,
  narrow,
  sum,
  type Tensor,
} from '../tensor/index.js'
import { architecture } from './architecture.js'
import { asFactors, realSteps, TextModel } from './text-model.js'

const options = z.strictObject({
  embeddingDim: z.int().positive().default(64),
  /** Filters of each width. */
  filters: z.int().positive().default(96),
  /** Widths of the convolutions, in characters. */
  kernelSizes: z.array(z.int().positive()).min(1).default([1, 2, 3, 4, 5]),
  /** Rows of a table of vectors for pairs of neighbouring characters, found by a hash; 0 leaves pairs out. */
  pairBuckets: z.int().min(0).default(0),
  pairDim: z.int().positive().default(64),
  embeddingDropout: z.number().min(0).lt(1).default(0.2),
  dropout: z.number().min(0).lt(1).default(0.5),
})

export type TextCnnOptions = z.infer<typeof options>

/**
 * Convolutions of several widths over character vectors, the maximum of each filter over the text, and a linear classifier
 * (Kim 2014, "Convolutional Neural Networks for Sentence Classification"); optionally beside them the mean vector of all character pairs
 * (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"). Padding has no influence: its vectors are zeros, as are those
 * beyond the ends of the text, and its places cannot win the maximum.
 *
 * Shapes: ids [batch, steps] -> logits [batch, labels].
 */
export class TextCnn extends TextModel {
  override readonly className = 'TextCnn'
  private readonly embedding: Embedding
  private readonly embeddingDropout: Dropout
  private readonly convolutions: readonly Conv1D[]
  private readonly pairs: Embedding | null
  private readonly dropout: Dropout
  private readonly classifier: Dense

  constructor(
    protected readonly settings: TextCnnOptions,
    vocabSize: number,
    readonly numLabels: number,
  ) {
    super({ name: 'text_cnn' })
    const { embeddingDim, filters, kernelSizes } = settings
    this.embedding = new Embedding(vocabSize, embeddingDim, { name: 'embedding' })
    this.embeddingDropout = new Dropout(settings.embeddingDropout, { name: 'embedding_dropout' })
    this.convolutions = kernelSizes.map(
      (size, i) => new Conv1D(filters, size, { name: `convolution_${i}`, padding: 'same', activation: 'relu' }),
    )
    const { pairBuckets, pairDim } = settings
    this.pairs = pairBuckets > 0 ? new Embedding(pairBuckets, pairDim, { name: 'pairs' }) : null
    this.dropout = new Dropout(settings.dropout, { name: 'dropout' })
    this.classifier = new Dense(numLabels, { name: 'classifier' })
    this.embedding.ensureBuilt([null, null])
    for (const convolution of this.convolutions) convolution.ensureBuilt([null, null, embeddingDim])
    this.pairs?.ensureBuilt([null, null])
    this.classifier.ensureBuilt([null, this.features])
    this.built = true
  }

  override get layers(): readonly Layer[] {
    const pairs = this.pairs ? [this.pairs] : []
    return [this.embedding, this.embeddingDropout, ...this.convolutions, ...pairs, this.dropout, this.classifier]
  }

  private get features(): number {
    const { filters, kernelSizes, pairBuckets, pairDim } = this.settings
    return filters * kernelSizes.length + (pairBuckets > 0 ? pairDim : 0)
  }

  protected override outputsOfLayers(): readonly PartialShape[] {
    const { embeddingDim, filters, kernelSizes, pairDim } = this.settings
    const vectors = [null, null, embeddingDim]
    const pairs = this.pairs ? [[null, null, pairDim]] : []
    const convolutions = kernelSizes.map(() => [null, null, filters])
    return [vectors, vectors, ...convolutions, ...pairs, [null, this.features], [null, this.numLabels]]
  }

  override call(ids: Tensor, context: CallContext): Tensor {
    const mask = asFactors(realSteps(ids))
    const run = (layer: Layer, x: Tensor): Tensor => layer.run(x, context) as Tensor
    const vectors = mul(run(this.embeddingDropout, run(this.embedding, ids)), mask)
    // relu leaves nothing below 0, so that zeros in the places of padding never win.
    const features = this.convolutions.map((convolution) => amax(mul(run(convolution, vectors), mask), 1))
    if (this.pairs) features.push(this.meanPair(this.pairs, ids, context))
    return run(this.classifier, run(this.dropout, cat(features, 1)))
  }

  /** Mean vector of the pairs whose two characters are real: [batch, pairDim]. */
  private meanPair(pairs: Embedding, ids: Tensor, context: CallContext): Tensor {
    const steps = ids.shape[1]
    const [first, second] = [narrow(ids, 1, 0, steps - 1), narrow(ids, 1, 1, steps - 1)]
    const mask = asFactors(realSteps(second))
    const vectors = pairs.run(pairHash(first, second, this.settings.pairBuckets), context) as Tensor
    return div(sum(mul(vectors, mask), 1), maximum(sum(mask, 1), constant(1, 'f32')))
  }
}

/** A row below `buckets` for each pair of ids. */
const pairHash = (first: Tensor, second: Tensor, buckets: number): Tensor => {
  const mixed = add(mul(first, constant(8191, 'i32')), mul(second, constant(127, 'i32')))
  return fmod(bitwiseAnd(mixed, constant(0x7fffffff, 'i32')), constant(buckets, 'i32'))
}

export default architecture<TextCnnOptions>({
  task: 'text-classification',
  options,
  build: (settings, { vocabSize, numLabels }) => new TextCnn(settings, vocabSize, numLabels),
})
