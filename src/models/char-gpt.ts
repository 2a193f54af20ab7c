import { z } from 'zod'
import {
  type CallContext,
  Dense,
  Dropout,
  Embedding,
  Layer,
  LayerNormalization,
  type PartialShape,
} from '../nn/index.js'
import { scaledDotProductAttention } from '../tensor/functional/index.js'
import { add, arange, narrow, reshape, type Tensor, transpose } from '../tensor/index.js'
import { architecture } from './architecture.js'
import { TextModel } from './text-model.js'

const options = z
  .strictObject({
    /** Steps that the model can see; at least the recipe's sequenceLength. */
    contextLength: z.int().positive().default(128),
    dim: z.int().positive().default(128),
    heads: z.int().positive().default(4),
    layers: z.int().positive().max(64).default(4),
    dropout: z.number().min(0).lt(1).default(0.1),
  })
  .refine(({ dim, heads }) => dim % heads === 0, { message: 'dim must be a multiple of heads', path: ['heads'] })

export type CharGptOptions = z.infer<typeof options>

/** Weights are small at first, as in GPT-2. */
const kernelInitializer = { class_name: 'RandomNormal', config: { mean: 0, stddev: 0.02 } }

/** x + attention(norm(x)), then x + mlp(norm(x)): [batch, steps, dim] -> the same. */
class Block extends Layer {
  override readonly className = 'Block'
  private readonly norm1 = new LayerNormalization({ name: 'norm1' })
  private readonly attention: Dense
  private readonly projection: Dense
  private readonly norm2 = new LayerNormalization({ name: 'norm2' })
  private readonly expand: Dense
  private readonly contract: Dense
  private readonly dropout: Dropout

  constructor(
    name: string,
    private readonly settings: CharGptOptions,
  ) {
    super({ name })
    const { dim } = settings
    const dense = (units: number, own: string, activation?: string): Dense =>
      new Dense(units, { name: own, activation, kernelInitializer })
    this.attention = dense(3 * dim, 'attention')
    this.projection = dense(dim, 'projection')
    this.expand = dense(4 * dim, 'expand', 'gelu')
    this.contract = dense(dim, 'contract')
    this.dropout = new Dropout(settings.dropout, { name: 'dropout' })
    const shape = [null, null, dim]
    for (const layer of [this.norm1, this.attention, this.projection, this.norm2, this.expand]) layer.ensureBuilt(shape)
    this.contract.ensureBuilt([null, null, 4 * dim])
    this.built = true
  }

  override call(x: Tensor, context: CallContext): Tensor {
    const run = (layer: Layer, value: Tensor): Tensor => layer.run(value, context) as Tensor
    const attended = run(this.projection, this.attend(run(this.attention, run(this.norm1, x))))
    const middle = add(x, run(this.dropout, attended))
    const inner = run(this.contract, run(this.expand, run(this.norm2, middle)))
    return add(middle, run(this.dropout, inner))
  }

  /** Queries, keys and values side by side [batch, steps, 3 dim] -> [batch, steps, dim]. */
  private attend(qkv: Tensor): Tensor {
    const { dim, heads } = this.settings
    const [batch, steps] = qkv.shape
    const [q, k, v] = [0, 1, 2].map((i) =>
      transpose(reshape(narrow(qkv, 2, i * dim, dim), [batch, steps, heads, dim / heads]), 1, 2),
    )
    const mixed = scaledDotProductAttention(q, k, v, { causal: true })
    return reshape(transpose(mixed, 1, 2), [batch, steps, dim])
  }
}

/**
 * A small GPT over characters: vectors of characters and positions, pre-norm transformer blocks, a linear map to the vocabulary
 * (Radford et al. 2019).
 *
 * Shapes: ids [batch, steps <= contextLength] -> logits [batch, steps, vocabulary].
 */
export class CharGpt extends TextModel {
  override readonly className = 'CharGpt'
  private readonly embedding: Embedding
  private readonly positions: Embedding
  private readonly dropout: Dropout
  private readonly blocks: readonly Block[]
  private readonly norm = new LayerNormalization({ name: 'norm' })
  private readonly head: Dense

  constructor(
    protected readonly settings: CharGptOptions,
    readonly vocabSize: number,
  ) {
    super({ name: 'char_gpt' })
    const { dim, contextLength } = settings
    const embeddingsInitializer = kernelInitializer
    this.embedding = new Embedding(vocabSize, dim, { name: 'embedding', embeddingsInitializer })
    this.positions = new Embedding(contextLength, dim, { name: 'positions', embeddingsInitializer })
    this.dropout = new Dropout(settings.dropout, { name: 'dropout' })
    this.blocks = Array.from({ length: settings.layers }, (_, i) => new Block(`block_${i}`, settings))
    this.head = new Dense(vocabSize, { name: 'head', useBias: false, kernelInitializer })
    this.embedding.ensureBuilt([null, null])
    this.positions.ensureBuilt([null])
    this.norm.ensureBuilt([null, null, dim])
    this.head.ensureBuilt([null, null, dim])
    this.built = true
  }

  override get layers(): readonly Layer[] {
    return [this.embedding, this.positions, this.dropout, ...this.blocks, this.norm, this.head]
  }

  protected override outputsOfLayers(): readonly PartialShape[] {
    const { dim, contextLength } = this.settings
    const vectors = [null, null, dim]
    return [
      vectors,
      [contextLength, dim],
      vectors,
      ...this.blocks.map(() => vectors),
      vectors,
      [null, null, this.vocabSize],
    ]
  }

  override call(ids: Tensor, context: CallContext): Tensor {
    const steps = ids.shape[1]
    if (steps > this.settings.contextLength)
      throw new RangeError(`the model sees ${this.settings.contextLength} steps (contextLength), got ${steps}`)
    const places = this.positions.run(arange(0, steps, 1, { dtype: 'i32' }), context) as Tensor
    let x = this.dropout.run(add(this.embedding.run(ids, context) as Tensor, places), context)
    for (const block of this.blocks) x = block.run(x, context)
    return this.head.run(this.norm.run(x, context), context) as Tensor
  }
}

export default architecture<CharGptOptions>({
  task: 'language-modeling',
  options,
  build: (settings, { vocabSize }) => new CharGpt(settings, vocabSize),
})
