import { Module, torch } from '../../nn/index.js'
import type { Tensor } from '../../tensor/index.js'
import { attend, splitHeads } from './attention.js'
import type { Recorder } from './outputs.js'

export interface ViTAttentionConfig {
  readonly hidden_size: number
  readonly num_attention_heads: number
  readonly attention_probs_dropout_prob: number
  readonly hidden_dropout_prob: number
  readonly qkv_bias: boolean
}

class Projections extends Module {
  readonly query: torch.Linear
  readonly key: torch.Linear
  readonly value: torch.Linear

  constructor({ hidden_size: width, num_attention_heads: heads, qkv_bias: bias }: ViTAttentionConfig) {
    super()
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.query = new torch.Linear(width, width, { bias })
    this.key = new torch.Linear(width, width, { bias })
    this.value = new torch.Linear(width, width, { bias })
  }
}

export class DenseOutput extends Module {
  readonly dense: torch.Linear
  readonly dropout: torch.Dropout

  constructor(from: number, to: number, p: number) {
    super()
    this.dense = new torch.Linear(from, to)
    this.dropout = new torch.Dropout(p)
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.dense.forward(x))
  }
}

/** Attention under the names of ViT's files: `attention.query`, ..., `output.dense`. */
export class ViTAttention extends Module {
  readonly attention: Projections
  readonly output: DenseOutput

  constructor(private readonly settings: ViTAttentionConfig) {
    super()
    this.attention = new Projections(settings)
    this.output = new DenseOutput(settings.hidden_size, settings.hidden_size, settings.hidden_dropout_prob)
  }

  forward(x: Tensor, recorder: Recorder): Tensor {
    const { query, key, value } = this.attention
    const [q, k, v] = [query, key, value].map((map) => splitHeads(map.forward(x), this.settings.num_attention_heads))
    const dropout = this.training ? this.settings.attention_probs_dropout_prob : 0
    const { output, weights } = attend(q, k, v, { dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return this.output.forward(output)
  }
}
