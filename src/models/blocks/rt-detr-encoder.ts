/** Encoder of RT-DETR (Lv et al. 2024): maps of several sizes exchange what they see. */
import { Module, torch } from '../../nn/index.js'
import { interpolate } from '../../tensor/functional/index.js'
import { add, cat, type Tensor, tensor } from '../../tensor/index.js'
import type { RTDetrV2Config } from '../rt_detr_v2.js'
import { type ActivationFn, activation } from './activations.js'
import { PlacedAttention } from './detr-layers.js'
import type { Recorder } from './outputs.js'
import { flattenGrid, unflattenGrid } from './vision.js'

class ConvNorm extends Module {
  readonly conv: torch.Conv2d
  readonly norm: torch.BatchNorm
  readonly #act: ActivationFn

  constructor(eps: number, from: number, to: number, kernel: number, stride: number, act: string | null) {
    super()
    this.conv = new torch.Conv2d(from, to, kernel, { stride, padding: Math.trunc((kernel - 1) / 2), bias: false })
    this.norm = new torch.BatchNorm(to, { eps })
    this.#act = activation(act ?? 'linear')
  }

  forward(x: Tensor): Tensor {
    return this.#act(this.norm.forward(this.conv.forward(x)))
  }
}

class RepVgg extends Module {
  readonly conv1: ConvNorm
  readonly conv2: ConvNorm
  readonly #act: ActivationFn

  constructor({ batch_norm_eps: eps, activation_function: act }: RTDetrV2Config, width: number) {
    super()
    this.conv1 = new ConvNorm(eps, width, width, 3, 1, null)
    this.conv2 = new ConvNorm(eps, width, width, 1, 1, null)
    this.#act = activation(act)
  }

  forward(x: Tensor): Tensor {
    return this.#act(add(this.conv1.forward(x), this.conv2.forward(x)))
  }
}

/** Two maps of one size become one. */
class Fusion extends Module {
  readonly conv1: ConvNorm
  readonly conv2: ConvNorm
  readonly bottlenecks: readonly RepVgg[]
  readonly conv3: ConvNorm | null

  constructor(settings: RTDetrV2Config) {
    super()
    const { batch_norm_eps: eps, activation_function: act, encoder_hidden_dim: width } = settings
    const inner = Math.trunc(width * settings.hidden_expansion)
    this.conv1 = new ConvNorm(eps, 2 * width, inner, 1, 1, act)
    this.conv2 = new ConvNorm(eps, 2 * width, inner, 1, 1, act)
    this.bottlenecks = Array.from({ length: 3 }, () => new RepVgg(settings, inner))
    this.conv3 = inner === width ? null : new ConvNorm(eps, inner, width, 1, 1, act)
  }

  forward(a: Tensor, b: Tensor): Tensor {
    const x = cat([a, b], 1)
    const deep = this.bottlenecks.reduce((value, block) => block.forward(value), this.conv1.forward(x))
    const both = add(deep, this.conv2.forward(x))
    return this.conv3 ? this.conv3.forward(both) : both
  }
}

/** Attention to itself and a feed-forward part, with norms before or after. */
class EncoderLayer extends Module {
  readonly self_attn: PlacedAttention
  readonly self_attn_layer_norm: torch.LayerNorm
  readonly fc1: torch.Linear
  readonly fc2: torch.Linear
  readonly final_layer_norm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly activation_dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(private readonly settings: RTDetrV2Config) {
    super()
    const { encoder_hidden_dim: width, layer_norm_eps: eps, encoder_ffn_dim: inner } = settings
    this.self_attn = new PlacedAttention(width, settings.encoder_attention_heads, settings.dropout)
    this.self_attn_layer_norm = new torch.LayerNorm(width, { eps })
    this.fc1 = new torch.Linear(width, inner)
    this.fc2 = new torch.Linear(inner, width)
    this.final_layer_norm = new torch.LayerNorm(width, { eps })
    this.dropout = new torch.Dropout(settings.dropout)
    this.activation_dropout = new torch.Dropout(settings.activation_dropout)
    this.#act = activation(settings.encoder_activation_function)
  }

  forward(states: Tensor, places: Tensor | null, recorder: Recorder): Tensor {
    const around = (x: Tensor, norm: torch.LayerNorm, part: (x: Tensor) => Tensor): Tensor =>
      this.settings.normalize_before ? add(x, part(norm.forward(x))) : norm.forward(add(x, part(x)))
    const attended = around(states, this.self_attn_layer_norm, (x) => {
      const placed = places ? add(x, places) : x
      const { output, weights } = this.self_attn.look(placed, placed, x, null, recorder.wantsAttentions)
      recorder.attention(weights)
      return this.dropout.forward(output)
    })
    // With norms before, the sum goes on from the normed states, as in the reference.
    const base = this.settings.normalize_before ? this.final_layer_norm.forward(attended) : attended
    const inner = this.activation_dropout.forward(this.#act(this.fc1.forward(base)))
    const out = add(base, this.dropout.forward(this.fc2.forward(inner)))
    return this.settings.normalize_before ? out : this.final_layer_norm.forward(out)
  }
}

/** Sines and cosines of rows and columns [1, rows * columns, width]. */
function sines(rows: number, columns: number, width: number, temperature: number): Tensor {
  if (width % 4 !== 0) throw new RangeError(`encoder_hidden_dim must divide by 4, got ${width}`)
  const part = width / 4
  const data = new Float32Array(rows * columns * width)
  for (let place = 0; place < rows * columns; place++)
    for (let i = 0; i < part; i++) {
      const rate = 1 / temperature ** (i / part)
      const [row, column] = [Math.floor(place / columns) * rate, (place % columns) * rate]
      for (const [k, value] of [Math.sin(row), Math.cos(row), Math.sin(column), Math.cos(column)].entries())
        data[place * width + k * part + i] = value
    }
  return tensor(data, { shape: [1, rows * columns, width] })
}

class ScaleEncoder extends Module {
  readonly layers: readonly EncoderLayer[]

  constructor(private readonly settings: RTDetrV2Config) {
    super()
    this.layers = Array.from({ length: settings.encoder_layers }, () => new EncoderLayer(settings))
  }

  forward(map: Tensor, recorder: Recorder): Tensor {
    const { encoder_hidden_dim: width, positional_encoding_temperature: heat, eval_size: size } = this.settings
    const [, , rows, columns] = map.shape
    const places = this.training || size === null ? sines(rows, columns, width, heat) : null
    return unflattenGrid(
      this.layers.reduce((x, layer) => layer.forward(x, places, recorder), flattenGrid(map)),
      rows,
      columns,
    )
  }
}

/** Attention on the coarsest maps, then fusion from coarse to fine and back. */
export class HybridEncoder extends Module {
  readonly encoder: readonly ScaleEncoder[]
  readonly lateral_convs: readonly ConvNorm[]
  readonly fpn_blocks: readonly Fusion[]
  readonly downsample_convs: readonly ConvNorm[]
  readonly pan_blocks: readonly Fusion[]

  constructor(private readonly settings: RTDetrV2Config) {
    super()
    const { encoder_hidden_dim: width, batch_norm_eps: eps, activation_function: act } = settings
    const steps = Array.from({ length: settings.encoder_in_channels.length - 1 })
    this.encoder = settings.encode_proj_layers.map(() => new ScaleEncoder(settings))
    this.lateral_convs = steps.map(() => new ConvNorm(eps, width, width, 1, 1, act))
    this.fpn_blocks = steps.map(() => new Fusion(settings))
    this.downsample_convs = steps.map(() => new ConvNorm(eps, width, width, 3, 2, act))
    this.pan_blocks = steps.map(() => new Fusion(settings))
  }

  forward(given: readonly Tensor[], recorder: Recorder): readonly Tensor[] {
    const maps = [...given]
    if (this.settings.encoder_layers > 0) {
      for (const [i, level] of this.settings.encode_proj_layers.entries()) {
        if (i === 0) recorder.state(maps[level])
        maps[level] = this.encoder[i].forward(maps[level], recorder)
        recorder.state(maps[level])
      }
    }
    const fine = [maps[maps.length - 1]]
    for (const [i, lateral] of this.lateral_convs.entries()) {
      const top = lateral.forward(fine[0])
      fine[0] = top
      const size = [2 * top.shape[2], 2 * top.shape[3]]
      const grown = interpolate(top, { size, mode: 'nearest' })
      fine.unshift(this.fpn_blocks[i].forward(grown, maps[this.lateral_convs.length - i - 1]))
    }
    const out = [fine[0]]
    for (const [i, shrink] of this.downsample_convs.entries())
      out.push(this.pan_blocks[i].forward(shrink.forward(out[i]), fine[i + 1]))
    return out
  }
}
