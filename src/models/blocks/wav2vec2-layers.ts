/** Parts of wav2vec 2.0 (Baevski et al. 2020): the sound's convolutions, the encoder, the adapter. B batch, T frames, H features. */
import { Module, torch } from '../../nn/index.js'
import { conv1d } from '../../tensor/functional/index.js'
import {
  add,
  glu,
  lt,
  ones,
  Parameter,
  permute,
  random,
  reshape,
  type Tensor,
  where,
  zeros,
} from '../../tensor/index.js'
import type { Initialises } from '../pretrained/model.js'
import type { Wav2Vec2Config } from '../wav2vec2.js'
import { type ActivationFn, activation } from './activations.js'
import { BartAttention } from './bart-layers.js'
import { keyMask, type Mask } from './masks.js'
import type { Recorder } from './outputs.js'

/** [B, T, H] to [B, H, T] and back. */
export const turned = (x: Tensor): Tensor => permute(x, [0, 2, 1])

/** One layer of the sound's convolutions: [B, C, T] to [B, C', T']. */
class ConvLayer extends Module {
  readonly conv: torch.Conv1d
  readonly layer_norm: torch.LayerNorm | torch.GroupNorm | null
  readonly #act: ActivationFn

  constructor(settings: Wav2Vec2Config, index: number) {
    super()
    const { conv_dim: widths, conv_kernel: kernels, conv_stride: strides, feat_extract_norm: norm } = settings
    const out = widths[index]
    const options = { stride: strides[index], bias: settings.conv_bias }
    this.conv = new torch.Conv1d(index > 0 ? widths[index - 1] : 1, out, kernels[index], options)
    const grouped = norm === 'group' && index === 0 ? new torch.GroupNorm(out, out) : null
    this.layer_norm = norm === 'layer' ? new torch.LayerNorm(out) : grouped
    this.#act = activation(settings.feat_extract_activation)
  }

  forward(x: Tensor): Tensor {
    const y = this.conv.forward(x)
    if (this.layer_norm instanceof torch.LayerNorm) return this.#act(turned(this.layer_norm.forward(turned(y))))
    return this.#act(this.layer_norm ? this.layer_norm.forward(y) : y)
  }
}

export class FeatureExtractor extends Module {
  readonly conv_layers: readonly ConvLayer[]

  constructor(settings: Wav2Vec2Config) {
    super()
    const { conv_dim: widths, conv_kernel: kernels, conv_stride: strides, feat_extract_norm: norm } = settings
    if (widths.length !== kernels.length || widths.length !== strides.length)
      throw new RangeError(
        `conv_dim, conv_kernel and conv_stride state ${widths.length}, ${kernels.length} and ${strides.length} layers`,
      )
    if (norm !== 'group' && norm !== 'layer')
      throw new RangeError(`feat_extract_norm must be 'group' or 'layer', got '${norm}'`)
    this.conv_layers = widths.map((_, i) => new ConvLayer(settings, i))
  }

  /** Sound [B, S] to [B, T, C]. */
  forward(sound: Tensor): Tensor {
    let x = reshape(sound, [sound.shape[0], 1, sound.shape[1]])
    for (const layer of this.conv_layers) x = layer.forward(x)
    return turned(x)
  }
}

export class FeatureProjection extends Module implements Initialises {
  readonly layer_norm: torch.LayerNorm
  readonly projection: torch.Linear
  readonly dropout: torch.Dropout

  constructor({ conv_dim: widths, hidden_size: width, layer_norm_eps: eps, feat_proj_dropout: p }: Wav2Vec2Config) {
    super()
    const from = widths[widths.length - 1]
    this.layer_norm = new torch.LayerNorm(from, { eps })
    this.projection = new torch.Linear(from, width)
    this.dropout = new torch.Dropout(p)
  }

  /** The linear map keeps the bounds of its constructor. */
  initParameters(): void {}

  forward(features: Tensor): { x: Tensor; normed: Tensor } {
    const normed = this.layer_norm.forward(features)
    return { x: this.dropout.forward(this.projection.forward(normed)), normed }
  }
}

/** A grouped convolution whose weight is a direction and a length for each place of the kernel. */
class PlaceConv extends Module implements Initialises {
  readonly weight: Parameter
  readonly bias: Parameter

  constructor(
    private readonly width: number,
    private readonly kernel: number,
    private readonly groups: number,
  ) {
    super()
    this.weight = new Parameter(ones([width, width / groups, kernel]))
    this.bias = new Parameter(zeros([width]))
    torch.weightNorm(this, 'weight', 2)
  }

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const direction = this.weight.derivation?.sources.original1
    if (direction && wants(direction))
      this.weight.value = random.normal(direction.shape, { std: 2 * Math.sqrt(1 / (this.kernel * this.width)) })
  }

  forward(x: Tensor): Tensor {
    return conv1d(x, this.weight, { bias: this.bias, padding: Math.trunc(this.kernel / 2), groups: this.groups })
  }
}

/** Places by a wide convolution over the frames. */
class PlaceEmbedding extends Module {
  readonly conv: PlaceConv
  readonly #act: ActivationFn

  constructor(settings: Wav2Vec2Config) {
    super()
    const { num_conv_pos_embeddings: kernel, num_conv_pos_embedding_groups: groups } = settings
    this.conv = new PlaceConv(settings.hidden_size, kernel, groups)
    this.#act = activation(settings.feat_extract_activation)
  }

  forward(x: Tensor): Tensor {
    return turned(this.#act(this.conv.forward(turned(x)).narrow(2, 0, x.shape[1])))
  }
}

class FeedForward extends Module {
  readonly intermediate_dense: torch.Linear
  readonly output_dense: torch.Linear
  readonly intermediate_dropout: torch.Dropout
  readonly output_dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: Wav2Vec2Config) {
    super()
    this.intermediate_dense = new torch.Linear(settings.hidden_size, settings.intermediate_size)
    this.output_dense = new torch.Linear(settings.intermediate_size, settings.hidden_size)
    this.intermediate_dropout = new torch.Dropout(settings.activation_dropout)
    this.output_dropout = new torch.Dropout(settings.hidden_dropout)
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor): Tensor {
    const inner = this.intermediate_dropout.forward(this.#act(this.intermediate_dense.forward(x)))
    return this.output_dropout.forward(this.output_dense.forward(inner))
  }
}

/** The small map that languages of MMS bring along. */
class AttentionAdapter extends Module {
  readonly norm: torch.LayerNorm
  readonly linear_1: torch.Linear
  readonly linear_2: torch.Linear

  constructor(width: number, inner: number) {
    super()
    this.norm = new torch.LayerNorm(width)
    this.linear_1 = new torch.Linear(width, inner)
    this.linear_2 = new torch.Linear(inner, width)
  }

  forward(x: Tensor): Tensor {
    return this.linear_2.forward(this.linear_1.forward(this.norm.forward(x)).relu())
  }
}

class EncoderLayer extends Module {
  readonly attention: BartAttention
  readonly dropout: torch.Dropout
  readonly layer_norm: torch.LayerNorm
  readonly feed_forward: FeedForward
  readonly final_layer_norm: torch.LayerNorm
  readonly adapter_layer: AttentionAdapter | null

  constructor(private readonly settings: Wav2Vec2Config) {
    super()
    const { hidden_size: width, layer_norm_eps: eps, adapter_attn_dim: inner } = settings
    this.attention = new BartAttention(width, settings.num_attention_heads, settings.attention_dropout)
    this.dropout = new torch.Dropout(settings.hidden_dropout)
    this.layer_norm = new torch.LayerNorm(width, { eps })
    this.feed_forward = new FeedForward(settings)
    this.final_layer_norm = new torch.LayerNorm(width, { eps })
    this.adapter_layer = settings.do_stable_layer_norm && inner !== null ? new AttentionAdapter(width, inner) : null
  }

  private attend(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const { output, weights } = this.attention.attend(x, this.attention.keysValues(x), mask, recorder.wantsAttentions)
    recorder.attention(weights)
    return this.dropout.forward(output)
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    if (!this.settings.do_stable_layer_norm) {
      const attended = this.layer_norm.forward(add(x, this.attend(x, mask, recorder)))
      return this.final_layer_norm.forward(add(attended, this.feed_forward.forward(attended)))
    }
    const attended = add(x, this.attend(this.layer_norm.forward(x), mask, recorder))
    const y = add(attended, this.feed_forward.forward(this.final_layer_norm.forward(attended)))
    return this.adapter_layer ? add(y, this.adapter_layer.forward(y)) : y
  }
}

export class Encoder extends Module {
  readonly pos_conv_embed: PlaceEmbedding
  readonly layer_norm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly layers: readonly EncoderLayer[]

  constructor(private readonly settings: Wav2Vec2Config) {
    super()
    this.pos_conv_embed = new PlaceEmbedding(settings)
    this.layer_norm = new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
    this.dropout = new torch.Dropout(settings.hidden_dropout)
    this.layers = Array.from({ length: settings.num_hidden_layers }, () => new EncoderLayer(settings))
  }

  /** `frames` is bool [B, T]: the frames that count. */
  forward(features: Tensor, frames: Tensor | null, recorder: Recorder): Tensor {
    const { do_stable_layer_norm: stable, layerdrop } = this.settings
    const kept = frames ? where(reshape(frames, [...frames.shape, 1]), features, 0) : features
    const placed = add(kept, this.pos_conv_embed.forward(kept))
    const mask = keyMask(frames)
    let x = this.dropout.forward(stable ? placed : this.layer_norm.forward(placed))
    for (const layer of this.layers) {
      recorder.state(x)
      const next = layer.forward(x, mask, recorder)
      x = this.training && layerdrop > 0 ? where(lt(random.uniform([]), layerdrop), x, next) : next
    }
    recorder.state(x)
    return stable ? this.layer_norm.forward(x) : x
  }
}

class AdapterLayer extends Module {
  readonly conv: torch.Conv1d

  constructor({ output_hidden_size: out, adapter_kernel_size: kernel, adapter_stride: stride }: Wav2Vec2Config) {
    super()
    const width = out as number
    this.conv = new torch.Conv1d(width, 2 * width, kernel, { stride, padding: 1 })
  }

  forward(x: Tensor): Tensor {
    return glu(this.conv.forward(x), 1)
  }
}

/** Fewer frames for a decoder that follows. */
export class Adapter extends Module {
  readonly proj: torch.Linear | null
  readonly proj_layer_norm: torch.LayerNorm | null
  readonly layers: readonly AdapterLayer[]

  constructor(settings: Wav2Vec2Config) {
    super()
    const { hidden_size: from, num_adapter_layers: count } = settings
    const to = settings.output_hidden_size as number
    this.proj = to === from ? null : new torch.Linear(from, to)
    this.proj_layer_norm = to === from ? null : new torch.LayerNorm(to)
    this.layers = Array.from({ length: count }, () => new AdapterLayer(settings))
  }

  forward(states: Tensor): Tensor {
    const narrowed =
      this.proj && this.proj_layer_norm ? this.proj_layer_norm.forward(this.proj.forward(states)) : states
    let x = turned(narrowed)
    for (const layer of this.layers) x = layer.forward(x)
    return turned(x)
  }
}
