/** wav2vec 2.0 (Baevski et al. 2020): convolutions over sound and a transformer. Shapes: B batch, S samples, T frames, H features. */
import { Module, torch } from '../nn/index.js'
import { conv1d, ctcLoss } from '../tensor/functional/index.js'
import {
  asTensor,
  cat,
  cumsum,
  eq,
  floor,
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
import { EncoderModel, Headed } from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { randomSpans } from './blocks/spec-augment.js'
import { Adapter, Encoder, FeatureExtractor, FeatureProjection, turned } from './blocks/wav2vec2-layers.js'
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
/** The weight of a convolution, held as that of a linear layer: it is not multiplied as one, so it is never quantised. */
class TimeKernel extends torch.Linear {
  override quantize(): this {
    return this
  }
}

class TimeLayer extends Module {
  readonly kernel: TimeKernel

  constructor(
    private readonly settings: Wav2Vec2Config,
    private readonly index: number,
  ) {
    super()
    const { tdnn_dim: widths, tdnn_kernel: kernels } = settings
    this.kernel = new TimeKernel(widths[Math.max(index - 1, 0)] * kernels[index], widths[index])
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

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    if (wants(this.weight)) this.weight.cell.settle(random.normal(this.weight.shape).value)
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
