/** Parts of T5 (Raffel et al. 2020): attention with biases by place, gated or plain maps, blocks of both. B batch, T tokens. */
import { Module, torch } from '../../nn/index.js'
import { add, mul, type Tensor } from '../../tensor/index.js'
import type { T5Config } from '../t5.js'
import { type ActivationFn, activation } from './activations.js'
import { attend, splitHeads } from './attention.js'
import type { KeyValueCache } from './cache.js'
import type { Mask } from './masks.js'
import type { Recorder } from './outputs.js'

/** A norm without means, of the model's width. */
export const t5Norm = ({ d_model: width, layer_norm_epsilon: eps }: T5Config): torch.RMSNorm =>
  new torch.RMSNorm(width, { eps })

/** What all blocks of a stack share in one pass. */
export interface T5Shared {
  readonly recorder: Recorder
  /** Added to the scores of self-attention [B or 1, heads, T, S]. */
  readonly bias: Tensor
  readonly cache: KeyValueCache | null
  readonly source: Tensor | null
  readonly sourceMask: Mask
}

class Attention extends Module {
  readonly q: torch.Linear
  readonly k: torch.Linear
  readonly v: torch.Linear
  readonly o: torch.Linear
  readonly relative_attention_bias: torch.Embedding | null

  constructor(
    readonly settings: T5Config,
    biased: boolean,
  ) {
    super()
    const { d_model: width, d_kv: headDim, num_heads: heads } = settings
    const inner = heads * headDim
    this.q = new torch.Linear(width, inner, { bias: false })
    this.k = new torch.Linear(width, inner, { bias: false })
    this.v = new torch.Linear(width, inner, { bias: false })
    this.o = new torch.Linear(inner, width, { bias: false })
    this.relative_attention_bias = biased ? new torch.Embedding(settings.relative_attention_num_buckets, heads) : null
  }

  private heads(map: torch.Linear, x: Tensor): Tensor {
    return splitHeads(map.forward(x), this.settings.num_heads)
  }

  keysValues(states: Tensor): [Tensor, Tensor] {
    return [this.heads(this.k, states), this.heads(this.v, states)]
  }

  attend(
    x: Tensor,
    [k, v]: readonly [Tensor, Tensor],
    mask: Mask,
    wanted: boolean,
  ): { output: Tensor; weights: Tensor | null } {
    const dropout = this.training ? this.settings.dropout_rate : 0
    const { output, weights } = attend(this.heads(this.q, x), k, v, { mask, scale: 1, dropout, weights: wanted })
    return { output: this.o.forward(output), weights }
  }
}

export class T5SelfLayer extends Module {
  readonly SelfAttention: Attention
  readonly layer_norm: torch.RMSNorm
  readonly dropout: torch.Dropout

  constructor(
    settings: T5Config,
    private readonly index: number,
  ) {
    super()
    this.SelfAttention = new Attention(settings, index === 0)
    this.layer_norm = t5Norm(settings)
    this.dropout = new torch.Dropout(settings.dropout_rate)
  }

  forward(x: Tensor, { recorder, bias, cache }: T5Shared): Tensor {
    const normed = this.layer_norm.forward(x)
    const news = this.SelfAttention.keysValues(normed)
    const all = cache ? cache.update(this.index, ...news) : news
    const { output, weights } = this.SelfAttention.attend(normed, all, bias, recorder.wantsAttentions)
    recorder.attention(weights)
    return add(x, this.dropout.forward(output))
  }
}

class CrossLayer extends Module {
  readonly EncDecAttention: Attention
  readonly layer_norm: torch.RMSNorm
  readonly dropout: torch.Dropout

  constructor(
    settings: T5Config,
    private readonly index: number,
  ) {
    super()
    this.EncDecAttention = new Attention(settings, false)
    this.layer_norm = t5Norm(settings)
    this.dropout = new torch.Dropout(settings.dropout_rate)
  }

  forward(x: Tensor, { recorder, cache, source, sourceMask }: T5Shared): Tensor {
    const compute = (): [Tensor, Tensor] => this.EncDecAttention.keysValues(source as Tensor)
    const known = cache ? cache.cross(this.index, compute) : compute()
    const { output, weights } = this.EncDecAttention.attend(
      this.layer_norm.forward(x),
      known,
      sourceMask,
      recorder.wantsAttentions,
    )
    recorder.crossAttention(weights)
    return add(x, this.dropout.forward(output))
  }
}

/** Gated (`wi_0`, `wi_1`) or plain (`wi`) by `feed_forward_proj`. */
class DenseReluDense extends Module {
  readonly wi: torch.Linear | null
  readonly wi_0: torch.Linear | null
  readonly wi_1: torch.Linear | null
  readonly wo: torch.Linear
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor({ d_model: width, d_ff: inner, feed_forward_proj: kind, dropout_rate: p }: T5Config) {
    super()
    const gated = kind.startsWith('gated-')
    const make = (): torch.Linear => new torch.Linear(width, inner, { bias: false })
    this.wi = gated ? null : make()
    this.wi_0 = gated ? make() : null
    this.wi_1 = gated ? make() : null
    this.wo = new torch.Linear(inner, width, { bias: false })
    this.dropout = new torch.Dropout(p)
    this.#act = activation(kind === 'gated-gelu' ? 'gelu_new' : kind.replace(/^gated-/, ''))
  }

  forward(x: Tensor): Tensor {
    const inner = this.wi
      ? this.#act(this.wi.forward(x))
      : mul(this.#act((this.wi_0 as torch.Linear).forward(x)), (this.wi_1 as torch.Linear).forward(x))
    return this.wo.forward(this.dropout.forward(inner))
  }
}

class FeedForwardLayer extends Module {
  readonly DenseReluDense: DenseReluDense
  readonly layer_norm: torch.RMSNorm
  readonly dropout: torch.Dropout

  constructor(settings: T5Config) {
    super()
    this.DenseReluDense = new DenseReluDense(settings)
    this.layer_norm = t5Norm(settings)
    this.dropout = new torch.Dropout(settings.dropout_rate)
  }

  forward(x: Tensor): Tensor {
    return add(x, this.dropout.forward(this.DenseReluDense.forward(this.layer_norm.forward(x))))
  }
}

export class T5Block extends Module {
  readonly layer: readonly (T5SelfLayer | CrossLayer | FeedForwardLayer)[]

  constructor(settings: T5Config, decoder: boolean, index: number) {
    super()
    const crossing = decoder ? [new CrossLayer(settings, index)] : []
    this.layer = [new T5SelfLayer(settings, index), ...crossing, new FeedForwardLayer(settings)]
  }

  forward(x: Tensor, shared: T5Shared): Tensor {
    return this.layer.reduce((states, layer) => layer.forward(states, shared), x)
  }
}
