/** wav2vec 2.0 (Baevski et al. 2020): convolutions over sound and a transformer. Shapes: B batch, S samples, T frames, H features. */
import { Module, torch } from '../nn/index.js'
import { conv1d, ctcLoss, weightNorm } from '../tensor/functional/index.js'
import {
  add,
  asTensor,
  cat,
  cumsum,
  eq,
  floor,
  glu,
  iota,
  le,
  logicalAnd,
  logSoftmax,
  lt,
  mul,
  ne,
  normalize,
  oneHot,
  ones,
  Parameter,
  permute,
  random,
  reshape,
  softmax,
  sqrt,
  stack,
  sum,
  type Tensor,
  type TensorLike,
  where,
  zeros,
} from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { BartAttention } from './blocks/bart-layers.js'
import { EncoderModel, Headed } from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { keyMask, type Mask } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { randomSpans } from './blocks/spec-augment.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family, Initialises } from './pretrained/model.js'

type Numbers = readonly number[]

const config = defineConfig({
  model_type: 'wav2vec2',
  defaults: {
    vocab_size: 32,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    hidden_act: 'gelu',
    hidden_dropout: 0.1,
    activation_dropout: 0.1,
    attention_dropout: 0.1,
    feat_proj_dropout: 0,
    final_dropout: 0.1,
    layerdrop: 0.1,
    initializer_range: 0.02,
    layer_norm_eps: 1e-5,
    feat_extract_norm: 'group',
    feat_extract_activation: 'gelu',
    conv_dim: [512, 512, 512, 512, 512, 512, 512] as Numbers,
    conv_stride: [5, 2, 2, 2, 2, 2, 2] as Numbers,
    conv_kernel: [10, 3, 3, 3, 3, 2, 2] as Numbers,
    conv_bias: false,
    num_conv_pos_embeddings: 128,
    num_conv_pos_embedding_groups: 16,
    do_stable_layer_norm: false,
    apply_spec_augment: true,
    mask_time_prob: 0.05,
    mask_time_length: 10,
    mask_time_min_masks: 2,
    mask_feature_prob: 0,
    mask_feature_length: 10,
    mask_feature_min_masks: 0,
    ctc_loss_reduction: 'sum',
    ctc_zero_infinity: false,
    use_weighted_layer_sum: false,
    classifier_proj_size: 256,
    tdnn_dim: [512, 512, 512, 512, 1500] as Numbers,
    tdnn_kernel: [5, 3, 3, 1, 1] as Numbers,
    tdnn_dilation: [1, 2, 3, 1, 1] as Numbers,
    xvector_output_dim: 512,
    pad_token_id: 0 as number | null,
    bos_token_id: 1 as number | null,
    eos_token_id: 2 as number | readonly number[] | null,
    add_adapter: false,
    adapter_kernel_size: 3,
    adapter_stride: 2,
    num_adapter_layers: 3,
    output_hidden_size: null as number | null,
    adapter_attn_dim: null as number | null,
  },
  derive: ({ output_hidden_size: out, hidden_size: width }) => ({ output_hidden_size: out || width }),
})
export type Wav2Vec2Config = ConfigOf<typeof config>

/** Files of pretraining carry a quantizer and projections that other heads do not use. */
const family: Family = { config, prefix: 'wav2vec2', ignored: /^(quantizer|project_hid|project_q)\./ }

/** [B, T, H] to [B, H, T] and back. */
const turned = (x: Tensor): Tensor => permute(x, [0, 2, 1])

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

class FeatureExtractor extends Module {
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

class FeatureProjection extends Module implements Initialises {
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

class WeightNormed extends Module {
  readonly original0: Parameter
  readonly original1: Parameter

  constructor(shape: Numbers) {
    super()
    this.original0 = new Parameter(ones([1, 1, shape[2]]))
    this.original1 = new Parameter(ones(shape))
  }

  get weight(): Tensor {
    return weightNorm(this.original1, this.original0, 2)
  }
}

class Parametrizations extends Module {
  readonly weight: WeightNormed

  constructor(shape: Numbers) {
    super()
    this.weight = new WeightNormed(shape)
  }
}

/** A grouped convolution whose weight is a direction and a length for each place of the kernel. */
class PlaceConv extends Module implements Initialises {
  readonly bias: Parameter
  readonly parametrizations: Parametrizations

  constructor(
    private readonly width: number,
    private readonly kernel: number,
    private readonly groups: number,
  ) {
    super()
    this.bias = new Parameter(zeros([width]))
    this.parametrizations = new Parametrizations([width, width / groups, kernel])
  }

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const { original0: length, original1: direction } = this.parametrizations.weight
    if (!wants(direction)) return
    const drawn = random.normal(direction.shape, { std: 2 * Math.sqrt(1 / (this.kernel * this.width)) })
    direction.cell.settle(drawn.value)
    length.cell.settle(sqrt(sum(mul(drawn, drawn), [0, 1], { keepdim: true })).value)
  }

  forward(x: Tensor): Tensor {
    const { weight } = this.parametrizations.weight
    return conv1d(x, weight, { bias: this.bias, padding: Math.trunc(this.kernel / 2), groups: this.groups })
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

class Encoder extends Module {
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
class Adapter extends Module {
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

/** Frames that remain of `samples` [B]. */
function frameCounts(settings: Wav2Vec2Config, samples: Tensor, adapter: boolean): Tensor {
  const after = (count: Tensor, kernel: number, stride: number): Tensor => floor(count.sub(kernel).div(stride)).add(1)
  const { conv_kernel: kernels, conv_stride: strides, num_adapter_layers: layers, adapter_stride: step } = settings
  let count = samples.to('f32')
  for (const [i, kernel] of kernels.entries()) count = after(count, kernel, strides[i])
  for (let i = 0; adapter && i < layers; i++) count = after(count, 1, step)
  return count.to('i32')
}

/** Samples [B] that count. */
const samplesOf = (mask: TensorLike): Tensor => sum(ne(asTensor(mask), 0).to('i32'), -1)

/** bool [B, T]: the frames that come from samples that count. */
function framesOf(settings: Wav2Vec2Config, mask: TensorLike, frames: number, adapter: boolean): Tensor {
  const last = frameCounts(settings, samplesOf(mask), adapter).sub(1)
  // A sound too short for one frame counts from the end, as an index of -1 does.
  const wrapped = where(lt(last, 0), last.add(frames), last)
  const rows = wrapped.shape[0]
  return le(iota([rows, frames], 1), reshape(wrapped, [rows, 1]))
}

const soundOf = ({ input_values: given }: ModelInputs): Tensor => {
  if (given === null || given === undefined) throw new TypeError('this model needs input_values')
  const sound = asTensor(given)
  if (sound.ndim !== 2) throw new RangeError(`input_values must be [batch, samples], got [${sound.shape.join(', ')}]`)
  return sound
}

export class Wav2Vec2Model extends EncoderModel<Wav2Vec2Config> implements Initialises {
  static override readonly family: Family = family
  readonly masked_spec_embed: Parameter | null
  readonly feature_extractor: FeatureExtractor
  readonly feature_projection: FeatureProjection
  readonly encoder: Encoder
  readonly adapter: Adapter | null

  constructor(settings: Wav2Vec2Config) {
    super(settings)
    const masked = settings.mask_time_prob > 0 || settings.mask_feature_prob > 0
    this.masked_spec_embed = masked ? new Parameter(zeros([settings.hidden_size])) : null
    this.feature_extractor = new FeatureExtractor(settings)
    this.feature_projection = new FeatureProjection(settings)
    this.encoder = new Encoder(settings)
    this.adapter = settings.add_adapter ? new Adapter(settings) : null
  }

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const mask = this.masked_spec_embed
    if (mask && wants(mask)) mask.cell.settle(random.uniform(mask.shape).value)
  }

  /** Hides spans of frames and of features: those given, or random ones in training. */
  private augment(x: Tensor, frames: Tensor | null, given: TensorLike | null | undefined): Tensor {
    const settings = this.config
    if (!settings.apply_spec_augment) return x
    const [rows, steps, width] = x.shape
    let hidden: Tensor | null = given === null || given === undefined ? null : ne(asTensor(given), 0)
    if (!hidden && this.training && settings.mask_time_prob > 0) {
      const { mask_time_prob: probability, mask_time_length: length, mask_time_min_masks: least } = settings
      hidden = randomSpans(rows, steps, frames && sum(frames.to('i32'), -1), { probability, length, least })
    }
    let y = x
    if (hidden) {
      if (!this.masked_spec_embed) throw new Error('mask_time_indices need a model with mask_time_prob above 0')
      y = where(reshape(hidden, [rows, steps, 1]), this.masked_spec_embed.value.to(x.dtype), y)
    }
    if (this.training && settings.mask_feature_prob > 0) {
      const { mask_feature_prob: probability, mask_feature_length: length, mask_feature_min_masks: least } = settings
      const features = randomSpans(rows, width, null, { probability, length, least })
      y = where(reshape(features, [rows, 1, width]), 0, y)
    }
    return y
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const features = this.feature_extractor.forward(soundOf(inputs))
    const { attention_mask: mask } = inputs
    const frames = mask === null || mask === undefined ? null : framesOf(this.config, mask, features.shape[1], false)
    const { x, normed } = this.feature_projection.forward(features)
    const states = this.encoder.forward(this.augment(x, frames, inputs.mask_time_indices), frames, recorder)
    const last_hidden_state = this.adapter ? this.adapter.forward(states) : states
    return { last_hidden_state, extract_features: normed, ...recorder.outputs }
  }
}

/** Labels [B, U] without those that do not count, moved to the front, and their numbers [B]. */
function packed(labels: Tensor, blank: number): { rows: Tensor; counts: Tensor } {
  const counted = logicalAnd(ne(labels, -100), ne(labels, blank))
  const places = cumsum(counted.to('i32'), 1).sub(1)
  const [batch, length] = labels.shape
  const target = eq(reshape(places, [batch, length, 1]), iota([1, 1, length], 2))
  const moves = logicalAnd(target, reshape(counted, [batch, length, 1])).to('i32')
  return { rows: sum(mul(moves, reshape(labels, [batch, length, 1]).to('i32')), 1), counts: sum(counted.to('i32'), 1) }
}

/** Scores of the letters of each frame [B, T, V]; `labels` [B, U], -100 where a letter does not count. */
export class Wav2Vec2ForCTC extends Headed<Wav2Vec2Config> {
  static override readonly family: Family = family
  readonly dropout: torch.Dropout
  readonly lm_head: torch.Linear

  constructor(settings: Wav2Vec2Config) {
    super(settings, new Wav2Vec2Model(settings))
    this.dropout = new torch.Dropout(settings.final_dropout)
    const width = settings.add_adapter ? (settings.output_hidden_size as number) : settings.hidden_size
    this.lm_head = new torch.Linear(width, settings.vocab_size)
  }

  override vocabularyParameters(): readonly Parameter[] {
    return this.lm_head.bias ? [this.lm_head.weight, this.lm_head.bias] : [this.lm_head.weight]
  }

  private loss(logits: Tensor, given: TensorLike, { attention_mask, input_values }: ModelInputs): Tensor {
    const settings = this.config
    const { ctc_loss_reduction: reduction, ctc_zero_infinity: zeroInfinity } = settings
    if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none')
      throw new RangeError(`ctc_loss_reduction must be 'mean', 'sum' or 'none', got '${reduction}'`)
    const blank = settings.pad_token_id ?? 0
    const { rows, counts } = packed(asTensor(given), blank)
    const sound = asTensor(input_values as TensorLike)
    const samples = samplesOf(attention_mask ?? ones([sound.shape[0], sound.shape[1]]))
    const steps = frameCounts(settings, samples, settings.add_adapter)
    const logProbs = permute(logSoftmax(logits.to('f32'), -1), [1, 0, 2])
    return ctcLoss(logProbs, rows, steps, counts, { blank, reduction, zeroInfinity })
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.lm_head.forward(this.dropout.forward(base.last_hidden_state))
    return { ...lossOf(inputs.labels, (labels) => this.loss(logits, labels, inputs)), logits, ...passed(base) }
  }
}

/** Heads over the last states, or over a learned mixture of all layers' states. */
abstract class MixingHead extends Headed<Wav2Vec2Config> implements Initialises {
  readonly layer_weights: Parameter | null

  constructor(settings: Wav2Vec2Config, what: string | null) {
    super(settings, new Wav2Vec2Model(settings))
    if (what && settings.add_adapter) throw new RangeError(`${what} does not work with add_adapter`)
    const count = settings.num_hidden_layers + 1
    this.layer_weights = settings.use_weighted_layer_sum ? new Parameter(ones([count]).div(count)) : null
  }

  /** Layers stay equal at the start. */
  initParameters(): void {}

  protected run(inputs: ModelInputs): { base: BaseModelOutput; states: Tensor } {
    if (!this.layer_weights) {
      const base = this.base.forward(inputs)
      return { base, states: base.last_hidden_state }
    }
    const { hidden_states = [], ...rest } = this.base.forward({ ...inputs, output_hidden_states: true })
    const shares = reshape(softmax(this.layer_weights, -1), [1, -1, 1, 1])
    const states = sum(mul(stack([...hidden_states], 1), shares), 1)
    const wanted = inputs.output_hidden_states ?? this.config.output_hidden_states
    return { base: wanted ? { ...rest, hidden_states } : rest, states }
  }
}

/** Scores of the sound [B, L]; `labels` [B]. */
export class Wav2Vec2ForSequenceClassification extends MixingHead {
  static override readonly family: Family = family
  readonly projector: torch.Linear
  readonly classifier: torch.Linear

  constructor(settings: Wav2Vec2Config) {
    super(settings, 'sequence classification')
    this.projector = new torch.Linear(settings.hidden_size, settings.classifier_proj_size)
    this.classifier = new torch.Linear(settings.classifier_proj_size, settings.num_labels)
  }

  private pool(states: Tensor, mask: TensorLike | null | undefined): Tensor {
    if (mask === null || mask === undefined) return states.mean(1)
    const frames = framesOf(this.config, mask, states.shape[1], false).to(states.dtype)
    const weights = reshape(frames, [...frames.shape, 1])
    return sum(mul(states, weights), 1).div(sum(weights, 1))
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { base, states } = this.run(inputs)
    const logits = this.classifier.forward(this.pool(this.projector.forward(states), inputs.attention_mask))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** Scores of each frame [B, T, L]; `labels` [B, T, L] are one-hot. */
export class Wav2Vec2ForAudioFrameClassification extends MixingHead {
  static override readonly family: Family = family
  readonly classifier: torch.Linear

  constructor(settings: Wav2Vec2Config) {
    super(settings, 'classification of frames')
    this.classifier = new torch.Linear(settings.hidden_size, settings.num_labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { base, states } = this.run(inputs)
    const logits = this.classifier.forward(states)
    const loss = (labels: TensorLike): Tensor => tokenLoss(logits, asTensor(labels).argmax(-1))
    return { ...lossOf(inputs.labels, loss), logits, ...passed(base) }
  }
}

/** A dilated convolution, stored as a linear map. */
class TimeLayer extends Module {
  readonly kernel: torch.Linear

  constructor(
    private readonly settings: Wav2Vec2Config,
    private readonly index: number,
  ) {
    super()
    const { tdnn_dim: widths, tdnn_kernel: kernels } = settings
    this.kernel = new torch.Linear(widths[Math.max(index - 1, 0)] * kernels[index], widths[index])
  }

  forward(x: Tensor): Tensor {
    const { tdnn_dim: widths, tdnn_kernel: kernels, tdnn_dilation: dilations } = this.settings
    const stored = reshape(this.kernel.weight, [widths[this.index], kernels[this.index], -1])
    const bias = this.kernel.bias ?? undefined
    return turned(conv1d(turned(x), turned(stored), { bias, dilation: dilations[this.index] })).relu()
  }
}

/** Cosines with a margin for the right class (Wang et al. 2018). */
class MarginLoss extends Module {
  readonly weight: Parameter

  constructor(width: number, labels: number) {
    super()
    this.weight = new Parameter(random.normal([width, labels]))
  }

  loss(states: Tensor, labels: TensorLike): Tensor {
    const cosines = normalize(states, { dim: 1 }).matmul(normalize(this.weight, { dim: 0 }))
    const given = reshape(asTensor(labels), [-1])
    const right = ne(oneHot(given, cosines.shape[1]), 0)
    return tokenLoss(where(right, cosines.sub(0.4), cosines).mul(30), given)
  }
}

/** Mean and deviation over the first `counts` [B] of the steps of [B, T, H]. */
function statistics(x: Tensor, counts: Tensor | null): Tensor {
  const [batch, steps] = x.shape
  const valid = counts
    ? lt(iota([batch, steps, 1], 1), reshape(counts, [batch, 1, 1])).to(x.dtype)
    : ones([batch, steps, 1])
  const count = sum(valid, 1, { keepdim: true })
  const mean = sum(mul(x, valid), 1, { keepdim: true }).div(count)
  const away = mul(x.sub(mean), valid)
  const deviation = sqrt(sum(mul(away, away), 1).div(count.squeeze(1).sub(1)))
  return cat([mean.squeeze(1), deviation], -1)
}

/** Vectors of speakers and scores of them [B, D]; `labels` [B]. */
export class Wav2Vec2ForXVector extends MixingHead {
  static override readonly family: Family = family
  readonly projector: torch.Linear
  readonly tdnn: readonly TimeLayer[]
  readonly feature_extractor: torch.Linear
  readonly classifier: torch.Linear
  readonly objective: MarginLoss

  constructor(settings: Wav2Vec2Config) {
    super(settings, null)
    const { tdnn_dim: widths, xvector_output_dim: out } = settings
    this.projector = new torch.Linear(settings.hidden_size, widths[0])
    this.tdnn = widths.map((_, i) => new TimeLayer(settings, i))
    this.feature_extractor = new torch.Linear(widths[widths.length - 1] * 2, out)
    this.classifier = new torch.Linear(out, out)
    this.objective = new MarginLoss(out, settings.num_labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput & { readonly embeddings: Tensor } {
    const { base, states } = this.run(inputs)
    const { attention_mask: mask } = inputs
    let x = this.projector.forward(states)
    for (const layer of this.tdnn) x = layer.forward(x)
    const shrink = this.config.tdnn_kernel.reduce((taken, kernel) => taken + kernel - 1, 0)
    const given =
      mask === null || mask === undefined ? null : frameCounts(this.config, samplesOf(mask), this.config.add_adapter)
    const embeddings = this.feature_extractor.forward(statistics(x, given?.sub(shrink) ?? null))
    const logits = this.classifier.forward(embeddings)
    const loss = (labels: TensorLike): Tensor => this.objective.loss(logits, labels)
    return { ...lossOf(inputs.labels, loss), logits, embeddings, ...passed(base) }
  }
}

export default defineModels({
  config,
  classes: {
    Wav2Vec2Model,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2ForAudioFrameClassification,
    Wav2Vec2ForXVector,
  },
  auto: { audioClassification: 'Wav2Vec2ForSequenceClassification' },
})
