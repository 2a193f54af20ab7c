import { z } from 'zod'
import { type CallContext, Conv1D, Dense, Dropout, Embedding, type Layer, type PartialShape } from '../nn/index.js'
import { amax, cat, mul, type Tensor } from '../tensor/index.js'
import { architecture } from './architecture.js'
import { asFactors, realSteps, TextModel } from './text-model.js'

const options = z.strictObject({
  embeddingDim: z.int().positive().default(64),
  /** Filters of each width. */
  filters: z.int().positive().default(96),
  /** Widths of the convolutions, in characters. */
  kernelSizes: z.array(z.int().positive()).min(1).default([1, 2, 3, 4, 5]),
  embeddingDropout: z.number().min(0).lt(1).default(0.2),
  dropout: z.number().min(0).lt(1).default(0.5),
})

export type TextCnnOptions = z.infer<typeof options>

/**
 * Convolutions of several widths over character vectors, the maximum of each filter over the text, and a linear classifier
 * (Kim 2014, "Convolutional Neural Networks for Sentence Classification"). Padding has no influence: its vectors are zeros, as are those
 * beyond the ends of the text, and its places cannot win the maximum.
 *
 * Shapes: ids [batch, steps] -> logits [batch, labels].
 */
export class TextCnn extends TextModel {
  override readonly className = 'TextCnn'
  private readonly embedding: Embedding
  private readonly embeddingDropout: Dropout
  private readonly convolutions: readonly Conv1D[]
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
    this.dropout = new Dropout(settings.dropout, { name: 'dropout' })
    this.classifier = new Dense(numLabels, { name: 'classifier' })
    this.embedding.ensureBuilt([null, null])
    for (const convolution of this.convolutions) convolution.ensureBuilt([null, null, embeddingDim])
    this.classifier.ensureBuilt([null, filters * kernelSizes.length])
    this.built = true
  }

  override get layers(): readonly Layer[] {
    return [this.embedding, this.embeddingDropout, ...this.convolutions, this.dropout, this.classifier]
  }

  protected override outputsOfLayers(): readonly PartialShape[] {
    const { embeddingDim, filters, kernelSizes } = this.settings
    const vectors = [null, null, embeddingDim]
    const features = [null, filters * kernelSizes.length]
    return [vectors, vectors, ...kernelSizes.map(() => [null, null, filters]), features, [null, this.numLabels]]
  }

  override call(ids: Tensor, context: CallContext): Tensor {
    const mask = asFactors(realSteps(ids))
    const run = (layer: Layer, x: Tensor): Tensor => layer.run(x, context) as Tensor
    const vectors = mul(run(this.embeddingDropout, run(this.embedding, ids)), mask)
    // relu leaves nothing below 0, so that zeros in the places of padding never win.
    const features = this.convolutions.map((convolution) => amax(mul(run(convolution, vectors), mask), 1))
    return run(this.classifier, run(this.dropout, cat(features, 1)))
  }
}

export default architecture<TextCnnOptions>({
  task: 'text-classification',
  options,
  build: (settings, { vocabSize, numLabels }) => new TextCnn(settings, vocabSize, numLabels),
})
