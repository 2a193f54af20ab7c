import { constant, embedding, ne, type Parameter, type Tensor } from '../../tensor/index.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import { type CallContext, Layer, type LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import { LowRank, type LowRankOptions, lowRankSettings } from './low-rank.js'
import { checkCount } from './options.js'

export interface EmbeddingOptions extends LayerOptions, LowRankOptions {
  embeddingsInitializer?: InitializerLike
  embeddingsRegularizer?: RegularizerLike
  embeddingsConstraint?: ConstraintLike
  /** Positions with index 0 are padding: layers after this one skip them. */
  maskZero?: boolean
}

/** Indices [...] in 0 to inputDim - 1 -> vectors [..., outputDim]. Weight: embeddings [inputDim, outputDim]. */
export class Embedding extends Layer {
  override readonly className: string = 'Embedding'
  embeddings!: Parameter
  #lowRank: LowRank | null = null

  constructor(
    readonly inputDim: number,
    readonly outputDim: number,
    private readonly options: EmbeddingOptions = {},
  ) {
    super(options, {
      inputDim,
      outputDim,
      embeddingsInitializer: options.embeddingsInitializer ?? 'uniform',
      embeddingsRegularizer: options.embeddingsRegularizer ?? null,
      embeddingsConstraint: options.embeddingsConstraint ?? null,
      maskZero: options.maskZero ?? false,
      ...lowRankSettings(options),
    })
    checkCount('Embedding', 'inputDim', inputDim)
    checkCount('Embedding', 'outputDim', outputDim)
  }

  override build(): void {
    this.embeddings = this.addWeight('embeddings', [this.inputDim, this.outputDim], {
      initializer: this.options.embeddingsInitializer ?? 'uniform',
      regularizer: this.options.embeddingsRegularizer,
      constraint: this.options.embeddingsConstraint,
    })
    if (!this.options.loraRank) return
    if (this.options.embeddingsConstraint)
      throw new RangeError(`Embedding ${this.name}: loraRank and embeddingsConstraint exclude each other`)
    this.#lowRank = new LowRank(this.embeddings, this.options, 'embeddings', (name, shape, initializer) =>
      this.addWeight(name, shape, { initializer, regularizer: this.options.embeddingsRegularizer }),
    )
  }

  override get savedWeights(): Parameter[] {
    return this.#lowRank?.saved(this.weights) ?? this.weights
  }

  override call(indices: Tensor): Tensor {
    // Arrays of numbers come as f32; Keras takes those, too.
    return embedding(indices.dtype === 'i64' ? indices : indices.to('i32'), this.#lowRank?.whole ?? this.embeddings)
  }

  protected override passMask(indices: Tensor, output: Tensor, context: CallContext): void {
    if (this.options.maskZero) context.masks.set(output, ne(indices, constant(0, indices.dtype)))
  }
}
