import { Module, torch } from '../../nn/index.js'
import { add, type Tensor, zeros } from '../../tensor/index.js'
import type { ModelInputs } from '../pretrained/io.js'
import { checkLength, embed, positionsFrom, positionsFromIds, tokenVectors } from './embeddings.js'

export interface BertEmbeddingsOptions {
  readonly vocabSize: number
  readonly width: number
  readonly positions: number
  readonly types: number
  readonly padding: number | null
  readonly eps: number
  readonly dropout: number
  /** Positions count from the padding id on and skip padding, as in RoBERTa; default: from 0. */
  readonly positionsFromIds?: boolean
}

/** The sum of word, position and type vectors, normalised: [B, T, width]. */
export class BertEmbeddings extends Module {
  readonly word_embeddings: torch.Embedding
  readonly position_embeddings: torch.Embedding
  readonly token_type_embeddings: torch.Embedding
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(private readonly options: BertEmbeddingsOptions) {
    super()
    const { width, padding } = options
    const paddingIdx = padding ?? undefined
    this.word_embeddings = new torch.Embedding(options.vocabSize, width, { paddingIdx })
    const placed = options.positionsFromIds ? { paddingIdx } : {}
    this.position_embeddings = new torch.Embedding(options.positions, width, placed)
    this.token_type_embeddings = new torch.Embedding(options.types, width)
    this.LayerNorm = new torch.LayerNorm(width, { eps: options.eps })
    this.dropout = new torch.Dropout(options.dropout)
  }

  forward(inputs: ModelInputs): Tensor {
    const words = tokenVectors(this.word_embeddings, inputs)
    const [batch, tokens] = words.shape
    const types = inputs.token_type_ids ?? zeros([batch, tokens], { dtype: 'i32' })
    const places = embed(this.position_embeddings, inputs.position_ids ?? this.places(inputs, tokens))
    const sum = add(add(words, embed(this.token_type_embeddings, types)), places)
    return this.dropout.forward(this.LayerNorm.forward(sum))
  }

  private places({ input_ids: ids }: ModelInputs, tokens: number): Tensor {
    const { positions, padding } = this.options
    if (!this.options.positionsFromIds) {
      checkLength(tokens, positions)
      return positionsFrom(tokens)
    }
    const first = (padding ?? 0) + 1
    checkLength(tokens, positions - first)
    return ids === null || ids === undefined ? positionsFrom(tokens, first) : positionsFromIds(ids, padding ?? 0)
  }
}
