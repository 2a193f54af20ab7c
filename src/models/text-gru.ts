import { z } from 'zod'
import {
  Bidirectional,
  type CallContext,
  Dense,
  Dropout,
  Embedding,
  GRU,
  type Layer,
  type PartialShape,
} from '../nn/index.js'
import { amax, cat, clamp, div, mul, sum, type Tensor, unsqueeze, where } from '../tensor/index.js'
import { architecture } from './architecture.js'
import { asFactors, realSteps, TextModel } from './text-model.js'

const options = z.strictObject({
  embeddingDim: z.int().positive().default(64),
  /** Units of each direction. */
  units: z.int().positive().default(64),
  embeddingDropout: z.number().min(0).lt(1).default(0.2),
  dropout: z.number().min(0).lt(1).default(0.5),
})

export type TextGruOptions = z.infer<typeof options>

/** States lie in (-1, 1): nothing is below this. */
const FLOOR = -1

/**
 * A bidirectional GRU over character vectors; maximum and mean of its states over the text, and a linear classifier. Padded steps are
 * skipped by both directions and by both poolings.
 *
 * Shapes: ids [batch, steps] -> logits [batch, labels].
 */
export class TextGru extends TextModel {
  override readonly className = 'TextGru'
  private readonly embedding: Embedding
  private readonly embeddingDropout: Dropout
  private readonly encoder: Bidirectional
  private readonly dropout: Dropout
  private readonly classifier: Dense

  constructor(
    protected readonly settings: TextGruOptions,
    vocabSize: number,
    readonly numLabels: number,
  ) {
    super({ name: 'text_gru' })
    const { embeddingDim, units } = settings
    this.embedding = new Embedding(vocabSize, embeddingDim, { name: 'embedding' })
    this.embeddingDropout = new Dropout(settings.embeddingDropout, { name: 'embedding_dropout' })
    this.encoder = new Bidirectional(new GRU(units, { returnSequences: true, name: 'gru' }), { name: 'encoder' })
    this.dropout = new Dropout(settings.dropout, { name: 'dropout' })
    this.classifier = new Dense(numLabels, { name: 'classifier' })
    this.embedding.ensureBuilt([null, null])
    this.encoder.ensureBuilt([null, null, embeddingDim])
    this.classifier.ensureBuilt([null, 4 * units])
    this.built = true
  }

  override get layers(): readonly Layer[] {
    return [this.embedding, this.embeddingDropout, this.encoder, this.dropout, this.classifier]
  }

  protected override outputsOfLayers(): readonly PartialShape[] {
    const { embeddingDim, units } = this.settings
    const vectors = [null, null, embeddingDim]
    return [vectors, vectors, [null, null, 2 * units], [null, 4 * units], [null, this.numLabels]]
  }

  override call(ids: Tensor, context: CallContext): Tensor {
    const mask = realSteps(ids)
    const run = (layer: Layer, x: Tensor): Tensor => layer.run(x, context) as Tensor
    const vectors = run(this.embeddingDropout, run(this.embedding, ids))
    context.masks.set(vectors, mask)
    const states = run(this.encoder, vectors)
    const factors = asFactors(mask)
    const highest = amax(where(unsqueeze(mask, -1), states, FLOOR), 1)
    const mean = div(sum(mul(states, factors), 1), clamp(sum(factors, 1), 1))
    return run(this.classifier, run(this.dropout, cat([highest, mean], 1)))
  }
}

export default architecture<TextGruOptions>({
  task: 'text-classification',
  options,
  build: (settings, { vocabSize, numLabels }) => new TextGru(settings, vocabSize, numLabels),
})
