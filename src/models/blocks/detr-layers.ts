/** Parts of DETR (Carion et al. 2020): places in pictures, layers that know them. B batch, S places of the map, Q queries, H features. */
import { Module, torch } from '../../nn/index.js'
import { add, cat, cos, cumsum, div, reshape, sin, stack, type Tensor, tensor } from '../../tensor/index.js'
import type { DetrConfig } from '../detr.js'
import { type ActivationFn, activation } from './activations.js'
import { splitHeads } from './attention.js'
import { BartAttention } from './bart-layers.js'
import type { Mask } from './masks.js'
import type { Recorder } from './outputs.js'

/** Sines and cosines of a place in the picture, [B, rows, columns] as [B, rows, columns, width]. */
function waves(places: Tensor, width: number): Tensor {
  const scales = Float32Array.from({ length: width / 2 }, (_, i) => 10000 ** ((2 * i) / width))
  const angles = div(places.unsqueeze(-1), tensor(scales))
  return reshape(stack([sin(angles), cos(angles)], 4), [...places.shape, width])
}

/** Vectors of places [B, S, H], counted within what the mask bool [B, rows, columns] leaves. */
export function sinePlaces(mask: Tensor, width: number): Tensor {
  const [batch, rows, columns] = mask.shape
  const inside = mask.to('f32')
  const share = (axis: number, last: number): Tensor => {
    const counted = cumsum(inside, axis)
    return div(counted, counted.narrow(axis, last - 1, 1).add(1e-6)).mul(2 * Math.PI)
  }
  const both = cat([waves(share(1, rows), width / 2), waves(share(2, columns), width / 2)], 3)
  return reshape(both, [batch, rows * columns, width])
}

const MAX_PLACES = 50

/** Learned vectors of rows and columns. */
export class LearnedGrid extends Module {
  readonly row_embeddings: torch.Embedding
  readonly column_embeddings: torch.Embedding

  constructor(width: number) {
    super()
    this.row_embeddings = new torch.Embedding(MAX_PLACES, width)
    this.column_embeddings = new torch.Embedding(MAX_PLACES, width)
  }

  forward(batch: number, rows: number, columns: number): Tensor {
    const width = this.row_embeddings.weight.shape[1]
    const across = this.column_embeddings.weight.value.narrow(0, 0, columns)
    const down = this.row_embeddings.weight.value.narrow(0, 0, rows)
    const both = cat(
      [across.unsqueeze(0).expand(rows, columns, width), down.unsqueeze(1).expand(rows, columns, width)],
      2,
    )
    return reshape(both, [1, rows * columns, 2 * width]).expand(batch, rows * columns, 2 * width)
  }
}

/** Attention whose queries and keys, but not values, know their places. */
export class PlacedAttention extends BartAttention {
  constructor(
    width: number,
    private readonly count: number,
    p: number,
  ) {
    super(width, count, p)
  }

  look(query: Tensor, key: Tensor, value: Tensor, mask: Mask, wanted: boolean) {
    const known = [this.k_proj.forward(key), this.v_proj.forward(value)].map((x) => splitHeads(x, this.count))
    return this.attend(query, [known[0], known[1]], mask, wanted)
  }
}

interface Shared {
  readonly recorder: Recorder
  /** Places of the states that the layers change. */
  readonly places: Tensor
  readonly mask: Mask
  readonly source?: { readonly states: Tensor; readonly places: Tensor; readonly mask: Mask }
}

class DetrLayer extends Module {
  readonly self_attn: PlacedAttention
  readonly self_attn_layer_norm: torch.LayerNorm
  readonly encoder_attn: PlacedAttention | null
  readonly encoder_attn_layer_norm: torch.LayerNorm | null
  readonly fc1: torch.Linear
  readonly fc2: torch.Linear
  readonly final_layer_norm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly activation_dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: DetrConfig, decoder: boolean) {
    super()
    const { d_model: width, attention_dropout: p } = settings
    const heads = decoder ? settings.decoder_attention_heads : settings.encoder_attention_heads
    const inner = decoder ? settings.decoder_ffn_dim : settings.encoder_ffn_dim
    this.self_attn = new PlacedAttention(width, heads, p)
    this.self_attn_layer_norm = new torch.LayerNorm(width)
    this.encoder_attn = decoder ? new PlacedAttention(width, heads, p) : null
    this.encoder_attn_layer_norm = decoder ? new torch.LayerNorm(width) : null
    this.fc1 = new torch.Linear(width, inner)
    this.fc2 = new torch.Linear(inner, width)
    this.final_layer_norm = new torch.LayerNorm(width)
    this.dropout = new torch.Dropout(settings.dropout)
    this.activation_dropout = new torch.Dropout(settings.activation_dropout)
    this.#act = activation(settings.activation_function)
  }

  forward(states: Tensor, { recorder, places, mask, source }: Shared): Tensor {
    const wanted = recorder.wantsAttentions
    const placed = add(states, places)
    const own = this.self_attn.look(placed, placed, states, mask, wanted)
    recorder.attention(own.weights)
    let x = this.self_attn_layer_norm.forward(add(states, this.dropout.forward(own.output)))
    if (source && this.encoder_attn && this.encoder_attn_layer_norm) {
      const keys = add(source.states, source.places)
      const seen = this.encoder_attn.look(add(x, places), keys, source.states, source.mask, wanted)
      recorder.crossAttention(seen.weights)
      x = this.encoder_attn_layer_norm.forward(add(x, this.dropout.forward(seen.output)))
    }
    const inner = this.activation_dropout.forward(this.#act(this.fc1.forward(x)))
    return this.final_layer_norm.forward(add(x, this.dropout.forward(this.fc2.forward(inner))))
  }
}

export class DetrStack extends Module {
  readonly layers: readonly DetrLayer[]
  readonly layernorm: torch.LayerNorm | null

  constructor(
    private readonly settings: DetrConfig,
    decoder: boolean,
  ) {
    super()
    const count = decoder ? settings.decoder_layers : settings.encoder_layers
    this.layers = Array.from({ length: count }, () => new DetrLayer(settings, decoder))
    this.layernorm = decoder ? new torch.LayerNorm(settings.d_model) : null
  }

  /** The last states, and those of every layer where the loss asks for them: there each is normed on its way, as in the reference. */
  forward(states: Tensor, shared: Shared): { x: Tensor; between: readonly Tensor[] } {
    const between: Tensor[] = []
    let x = states
    for (const layer of this.layers) {
      shared.recorder.state(x)
      x = layer.forward(x, shared)
      if (this.layernorm && this.settings.auxiliary_loss) {
        x = this.layernorm.forward(x)
        between.push(x)
      }
    }
    if (this.layernorm) x = this.layernorm.forward(x)
    shared.recorder.state(x)
    return { x, between }
  }
}
