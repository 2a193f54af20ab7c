/** The layers of DeBERTa v2 (He et al. 2021). Shapes: B batch, T tokens, H features. */
import { Module, torch } from '../../nn/index.js'
import { dropout as drop, softmax } from '../../tensor/functional/index.js'
import {
  add,
  clamp,
  expand,
  gather,
  matmul,
  mul,
  permute,
  reshape,
  type Tensor,
  transpose,
  unsqueeze,
  where,
  zeros,
} from '../../tensor/index.js'
import type { ConfigOf, ConfigSpec } from '../pretrained/config.js'
import type { ModelInputs } from '../pretrained/io.js'
import { type ActivationFn, activation } from './activations.js'
import { joinHeads, splitHeads } from './attention.js'
import { checkLength, embed, positionsFrom, tokenVectors } from './embeddings.js'
import { LOWEST } from './masks.js'
import type { Recorder } from './outputs.js'
import { logBucket, placeTable } from './relative.js'

export const debertaV2Defaults = {
  vocab_size: 128100,
  hidden_size: 1536,
  num_hidden_layers: 24,
  num_attention_heads: 24,
  intermediate_size: 6144,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 0,
  initializer_range: 0.02,
  layer_norm_eps: 1e-7,
  relative_attention: false,
  max_relative_positions: -1,
  position_buckets: -1,
  pad_token_id: 0 as number | null,
  position_biased_input: true,
  pos_att_type: null as readonly string[] | null,
  share_att_key: false,
  norm_rel_ebd: 'none',
  attention_head_size: null as number | null,
  embedding_size: null as number | null,
  conv_kernel_size: 0,
  conv_groups: 1,
  conv_act: 'tanh',
  cls_dropout: null as number | null,
  pooler_dropout: 0,
  pooler_hidden_act: 'gelu',
  pooler_hidden_size: null as number | null,
  legacy: true,
}

export type DebertaV2Config = ConfigOf<ConfigSpec<typeof debertaV2Defaults>>

/** Reach of relative places on either side: half the rows of their table. */
function reachOf({
  position_buckets: buckets,
  max_relative_positions: limit,
  max_position_embeddings: most,
}: DebertaV2Config): {
  reach: number
  limit: number
} {
  const positions = limit < 1 ? most : limit
  return { limit: positions, reach: buckets > 0 ? buckets : positions }
}

export class DebertaV2Embeddings extends Module {
  readonly word_embeddings: torch.Embedding
  readonly position_embeddings: torch.Embedding | null
  readonly token_type_embeddings: torch.Embedding | null
  readonly embed_proj: torch.Linear | null
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(settings: DebertaV2Config) {
    super()
    const { hidden_size: width, type_vocab_size: types } = settings
    const narrow = settings.embedding_size ?? width
    const paddingIdx = settings.pad_token_id ?? undefined
    this.word_embeddings = new torch.Embedding(settings.vocab_size, narrow, { paddingIdx })
    const placed = settings.position_biased_input
    this.position_embeddings = placed ? new torch.Embedding(settings.max_position_embeddings, narrow) : null
    this.token_type_embeddings = types > 0 ? new torch.Embedding(types, narrow) : null
    this.embed_proj = narrow === width ? null : new torch.Linear(narrow, width, { bias: false })
    this.LayerNorm = new torch.LayerNorm(width, { eps: settings.layer_norm_eps })
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(inputs: ModelInputs, counts: Tensor | null): Tensor {
    let x = tokenVectors(this.word_embeddings, inputs)
    const [batch, tokens] = x.shape
    if (this.position_embeddings) {
      checkLength(tokens, this.position_embeddings.numEmbeddings)
      x = add(x, embed(this.position_embeddings, inputs.position_ids ?? positionsFrom(tokens)))
    }
    if (this.token_type_embeddings) {
      const types = inputs.token_type_ids ?? zeros([batch, tokens], { dtype: 'i32' })
      x = add(x, embed(this.token_type_embeddings, types))
    }
    if (this.embed_proj) x = this.embed_proj.forward(x)
    const normed = this.LayerNorm.forward(x)
    return this.dropout.forward(counts ? mul(normed, unsqueeze(counts, 2).to(normed.dtype)) : normed)
  }
}

/** What all layers of a pass share. */
interface Shared {
  /** bool [B, 1, T, T] */
  readonly mask: Tensor | null
  /** Vectors of relative places [2 reach, H]. */
  readonly places: Tensor | null
  /** Relative places of queries to keys, i32 [T, T]. */
  readonly distances: Tensor | null
  readonly recorder: Recorder
}

class DisentangledAttention extends Module {
  readonly query_proj: torch.Linear
  readonly key_proj: torch.Linear
  readonly value_proj: torch.Linear
  readonly pos_key_proj: torch.Linear | null
  readonly pos_query_proj: torch.Linear | null
  readonly #heads: number
  readonly #toPlaces: boolean
  readonly #fromPlaces: boolean

  constructor(private readonly settings: DebertaV2Config) {
    super()
    const { hidden_size: width, num_attention_heads: heads } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    const inner = heads * (settings.attention_head_size ?? width / heads)
    const types = settings.pos_att_type ?? []
    this.#heads = heads
    this.#toPlaces = types.includes('c2p')
    this.#fromPlaces = types.includes('p2c')
    this.query_proj = new torch.Linear(width, inner)
    this.key_proj = new torch.Linear(width, inner)
    this.value_proj = new torch.Linear(width, inner)
    const own = settings.relative_attention && !settings.share_att_key
    this.pos_key_proj = own && this.#toPlaces ? new torch.Linear(width, inner) : null
    this.pos_query_proj = own && this.#fromPlaces ? new torch.Linear(width, inner) : null
  }

  forward(x: Tensor, { mask, places, distances, recorder }: Shared): Tensor {
    const [q, k, v] = [this.query_proj, this.key_proj, this.value_proj].map((map) =>
      splitHeads(map.forward(x), this.#heads),
    )
    const parts = 1 + Number(this.#toPlaces) + Number(this.#fromPlaces)
    const scale = 1 / Math.sqrt(q.shape[3] * parts)
    let scores = matmul(q, transpose(k))
    if (places && distances) scores = this.addPlaces(scores, q, k, places, distances)
    scores = mul(scores, scale)
    // The lowest number instead of -infinity: rows of padding then look at everything alike, as in the reference.
    const weights = softmax(mask ? where(mask, scores, -LOWEST) : scores, -1)
    const p = this.training ? this.settings.attention_probs_dropout_prob : 0
    const kept = p > 0 ? drop(weights, { p }) : weights
    if (recorder.wantsAttentions) recorder.attention(kept)
    return joinHeads(matmul(kept, v))
  }

  private addPlaces(scores: Tensor, q: Tensor, k: Tensor, places: Tensor, distances: Tensor): Tensor {
    const { reach } = reachOf(this.settings)
    const p = this.training ? this.settings.hidden_dropout_prob : 0
    const table = unsqueeze(p > 0 ? drop(places, { p }) : places, 0)
    const [batch, heads, tokens] = scores.shape
    const pick = (x: Tensor, index: Tensor): Tensor =>
      gather(
        x,
        3,
        expand(reshape(clamp(index, 0, 2 * reach - 1), [1, 1, tokens, tokens]), [batch, heads, tokens, tokens]),
      )
    let sum = scores
    if (this.#toPlaces) {
      const keys = splitHeads((this.pos_key_proj ?? this.key_proj).forward(table), this.#heads)
      sum = add(sum, pick(matmul(q, transpose(keys)), distances.add(reach)))
    }
    if (this.#fromPlaces) {
      const queries = splitHeads((this.pos_query_proj ?? this.query_proj).forward(table), this.#heads)
      sum = add(sum, transpose(pick(matmul(k, transpose(queries)), distances.neg().add(reach))))
    }
    return sum
  }
}

/** Dense, dropout, and the norm of the sum with what went in. */
class ResidualOutput extends Module {
  readonly dense: torch.Linear
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(from: number, { hidden_size: width, layer_norm_eps: eps, hidden_dropout_prob: p }: DebertaV2Config) {
    super()
    this.dense = new torch.Linear(from, width)
    this.LayerNorm = new torch.LayerNorm(width, { eps })
    this.dropout = new torch.Dropout(p)
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(add(this.dropout.forward(this.dense.forward(x)), residual))
  }
}

class Attention extends Module {
  readonly self: DisentangledAttention
  readonly output: ResidualOutput

  constructor(settings: DebertaV2Config) {
    super()
    this.self = new DisentangledAttention(settings)
    this.output = new ResidualOutput(settings.hidden_size, settings)
  }
}

class Dense extends Module {
  readonly dense: torch.Linear

  constructor(from: number, to: number) {
    super()
    this.dense = new torch.Linear(from, to)
  }
}

class Layer extends Module {
  readonly attention: Attention
  readonly intermediate: Dense
  readonly output: ResidualOutput
  readonly #act: ActivationFn

  constructor(settings: DebertaV2Config) {
    super()
    this.attention = new Attention(settings)
    this.intermediate = new Dense(settings.hidden_size, settings.intermediate_size)
    this.output = new ResidualOutput(settings.intermediate_size, settings)
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor, shared: Shared): Tensor {
    const attended = this.attention.output.forward(this.attention.self.forward(x, shared), x)
    return this.output.forward(this.#act(this.intermediate.dense.forward(attended)), attended)
  }
}

/** A convolution over the first layer's input, added to its output (v2-xlarge). */
class Convolution extends Module {
  readonly conv: torch.Conv1d
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: DebertaV2Config) {
    super()
    const { hidden_size: width, conv_kernel_size: kernel, conv_groups: groups } = settings
    this.conv = new torch.Conv1d(width, width, kernel, { padding: Math.trunc((kernel - 1) / 2), groups })
    this.LayerNorm = new torch.LayerNorm(width, { eps: settings.layer_norm_eps })
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
    this.#act = activation(settings.conv_act)
  }

  forward(input: Tensor, output: Tensor, counts: Tensor | null): Tensor {
    const convolved = permute(this.conv.forward(permute(input, [0, 2, 1])), [0, 2, 1])
    const factors = counts ? unsqueeze(counts, 2).to('f32') : null
    const kept = factors ? mul(convolved, factors) : convolved
    const normed = this.LayerNorm.forward(add(output, this.#act(this.dropout.forward(kept))))
    return factors ? mul(normed, factors) : normed
  }
}

export class DebertaV2Encoder extends Module {
  readonly layer: readonly Layer[]
  readonly rel_embeddings: torch.Embedding | null
  readonly LayerNorm: torch.LayerNorm | null
  readonly conv: Convolution | null

  constructor(private readonly settings: DebertaV2Config) {
    super()
    const { hidden_size: width } = settings
    this.layer = Array.from({ length: settings.num_hidden_layers }, () => new Layer(settings))
    this.rel_embeddings = settings.relative_attention ? new torch.Embedding(2 * reachOf(settings).reach, width) : null
    const normed = settings.norm_rel_ebd
      .toLowerCase()
      .split('|')
      .some((name) => name.trim() === 'layer_norm')
    this.LayerNorm = normed ? new torch.LayerNorm(width, { eps: settings.layer_norm_eps }) : null
    this.conv = settings.conv_kernel_size > 0 ? new Convolution(settings) : null
  }

  /** Relative places of queries to keys. */
  private distances(tokens: number): Tensor {
    const { position_buckets: buckets } = this.settings
    const { limit } = reachOf(this.settings)
    return placeTable(tokens, tokens, (q, k) => (buckets > 0 ? logBucket(q - k, buckets, limit) : q - k))
  }

  forward(x: Tensor, counts: Tensor | null, mask: Tensor | null, recorder: Recorder): Tensor {
    const table = this.rel_embeddings?.weight.value ?? null
    const places = table && this.LayerNorm ? this.LayerNorm.forward(table) : table
    const shared = { mask, places, distances: places ? this.distances(x.shape[1]) : null, recorder }
    let states = x
    recorder.state(x)
    for (const [i, layer] of this.layer.entries()) {
      states = layer.forward(states, shared)
      if (i === 0 && this.conv) states = this.conv.forward(x, states, counts)
      recorder.state(states)
    }
    return states
  }
}
