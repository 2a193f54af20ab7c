import { z } from 'zod'
import { type CallContext, Dense, Dropout, Embedding, type Layer, LSTM, type PartialShape } from '../nn/index.js'
import type { Tensor } from '../tensor/index.js'
import { architecture } from './architecture.js'
import { TextModel } from './text-model.js'

const options = z.strictObject({
  embeddingDim: z.int().positive().default(64),
  units: z.int().positive().default(256),
  /** LSTMs one on top of the other. */
  layers: z.int().positive().max(16).default(1),
  dropout: z.number().min(0).lt(1).default(0.2),
})

export type CharLstmOptions = z.infer<typeof options>

/**
 * Predicts the next character at every step from those before it: character vectors, LSTMs, a linear map to the vocabulary.
 *
 * Shapes: ids [batch, steps] -> logits [batch, steps, vocabulary].
 */
export class CharLstm extends TextModel {
  override readonly className = 'CharLstm'
  private readonly embedding: Embedding
  private readonly encoders: readonly LSTM[]
  private readonly dropouts: readonly Dropout[]
  private readonly head: Dense

  constructor(
    protected readonly settings: CharLstmOptions,
    readonly vocabSize: number,
  ) {
    super({ name: 'char_lstm' })
    const { embeddingDim, units, dropout } = settings
    const count = Array.from({ length: settings.layers }, (_, i) => i)
    this.embedding = new Embedding(vocabSize, embeddingDim, { name: 'embedding' })
    this.encoders = count.map((i) => new LSTM(units, { returnSequences: true, name: `lstm_${i}` }))
    this.dropouts = count.map((i) => new Dropout(dropout, { name: `dropout_${i}` }))
    this.head = new Dense(vocabSize, { name: 'head' })
    this.embedding.ensureBuilt([null, null])
    for (const [i, encoder] of this.encoders.entries())
      encoder.ensureBuilt([null, null, i === 0 ? embeddingDim : units])
    this.head.ensureBuilt([null, null, units])
    this.built = true
  }

  override get layers(): readonly Layer[] {
    return [this.embedding, ...this.encoders.flatMap((encoder, i) => [encoder, this.dropouts[i]]), this.head]
  }

  protected override outputsOfLayers(): readonly PartialShape[] {
    const { embeddingDim, units } = this.settings
    const states = this.encoders.flatMap(() => [
      [null, null, units],
      [null, null, units],
    ])
    return [[null, null, embeddingDim], ...states, [null, null, this.vocabSize]]
  }

  override call(ids: Tensor, context: CallContext): Tensor {
    let x = this.embedding.run(ids, context)
    for (const [i, encoder] of this.encoders.entries()) x = this.dropouts[i].run(encoder.run(x, context), context)
    return this.head.run(x, context) as Tensor
  }
}

export default architecture<CharLstmOptions>({
  task: 'language-modeling',
  options,
  build: (settings, { vocabSize }) => new CharLstm(settings, vocabSize),
})
