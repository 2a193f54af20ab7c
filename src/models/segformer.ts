/** SegFormer (Xie et al. 2021): an encoder in stages and a light head over all of them. Shapes: B batch, P places, H features. */
import { Module, torch } from '../nn/index.js'
import { binaryCrossEntropyWithLogits, crossEntropy, interpolate } from '../tensor/functional/index.js'
import { add, asTensor, cat, logicalAnd, mul, relu, type Tensor, type TensorLike } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { attend, splitHeads } from './blocks/attention.js'
import { EncoderModel, Headed } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { DropPath, flattenGrid, imagesOf, unflattenGrid } from './blocks/vision.js'
import { dropRates } from './convnext.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'segformer',
  defaults: {
    num_channels: 3,
    num_encoder_blocks: 4,
    depths: [2, 2, 2, 2] as readonly number[],
    sr_ratios: [8, 4, 2, 1] as readonly number[],
    hidden_sizes: [32, 64, 160, 256] as readonly number[],
    patch_sizes: [7, 3, 3, 3] as readonly number[],
    strides: [4, 2, 2, 2] as readonly number[],
    num_attention_heads: [1, 2, 5, 8] as readonly number[],
    mlp_ratios: [4, 4, 4, 4] as readonly number[],
    hidden_act: 'gelu',
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    classifier_dropout_prob: 0.1,
    initializer_range: 0.02,
    drop_path_rate: 0.1,
    decoder_hidden_size: 256,
    semantic_loss_ignore_index: 255,
    reshape_last_stage: true,
  },
})
export type SegformerConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'segformer' }

class PatchEmbedding extends Module {
  readonly proj: torch.Conv2d
  readonly layer_norm: torch.LayerNorm

  constructor(from: number, to: number, patch: number, stride: number) {
    super()
    this.proj = new torch.Conv2d(from, to, patch, { stride, padding: Math.trunc(patch / 2) })
    this.layer_norm = new torch.LayerNorm(to)
  }
}

interface Grid {
  readonly rows: number
  readonly columns: number
}

/** Keys and values come from a grid made smaller by `ratio`. */
class SelfAttention extends Module {
  readonly query: torch.Linear
  readonly key: torch.Linear
  readonly value: torch.Linear
  readonly sr: torch.Conv2d | null
  readonly layer_norm: torch.LayerNorm | null

  constructor(
    private readonly settings: SegformerConfig,
    width: number,
    private readonly heads: number,
    ratio: number,
  ) {
    super()
    if (width % heads !== 0) throw new RangeError(`hidden size ${width} does not divide into ${heads} heads`)
    this.query = new torch.Linear(width, width)
    this.key = new torch.Linear(width, width)
    this.value = new torch.Linear(width, width)
    this.sr = ratio > 1 ? new torch.Conv2d(width, width, ratio, { stride: ratio }) : null
    this.layer_norm = ratio > 1 ? new torch.LayerNorm(width) : null
  }

  forward(x: Tensor, { rows, columns }: Grid, recorder: Recorder): Tensor {
    const states =
      this.sr && this.layer_norm
        ? this.layer_norm.forward(flattenGrid(this.sr.forward(unflattenGrid(x, rows, columns))))
        : x
    const [q, k, v] = [this.query.forward(x), this.key.forward(states), this.value.forward(states)].map((part) =>
      splitHeads(part, this.heads),
    )
    const dropout = this.training ? this.settings.attention_probs_dropout_prob : 0
    const { output, weights } = attend(q, k, v, { dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return output
  }
}

class Dense extends Module {
  readonly dense: torch.Linear

  constructor(width: number) {
    super()
    this.dense = new torch.Linear(width, width)
  }
}

class Attention extends Module {
  readonly self: SelfAttention
  readonly output: Dense

  constructor(settings: SegformerConfig, stage: number) {
    super()
    const width = settings.hidden_sizes[stage]
    this.self = new SelfAttention(settings, width, settings.num_attention_heads[stage], settings.sr_ratios[stage])
    this.output = new Dense(width)
  }
}

class DepthwiseConv extends Module {
  readonly dwconv: torch.Conv2d

  constructor(width: number) {
    super()
    this.dwconv = new torch.Conv2d(width, width, 3, { padding: 1, groups: width })
  }
}

class MixMlp extends Module {
  readonly dense1: torch.Linear
  readonly dwconv: DepthwiseConv
  readonly dense2: torch.Linear
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: SegformerConfig, width: number, inner: number) {
    super()
    this.dense1 = new torch.Linear(width, inner)
    this.dwconv = new DepthwiseConv(inner)
    this.dense2 = new torch.Linear(inner, width)
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor, { rows, columns }: Grid): Tensor {
    const mixed = flattenGrid(this.dwconv.dwconv.forward(unflattenGrid(this.dense1.forward(x), rows, columns)))
    return this.dropout.forward(this.dense2.forward(this.dropout.forward(this.#act(mixed))))
  }
}

class Layer extends Module {
  readonly layer_norm_1: torch.LayerNorm
  readonly attention: Attention
  readonly drop_path: DropPath
  readonly layer_norm_2: torch.LayerNorm
  readonly mlp: MixMlp
  readonly dropout: torch.Dropout

  constructor(settings: SegformerConfig, stage: number, rate: number) {
    super()
    const width = settings.hidden_sizes[stage]
    this.layer_norm_1 = new torch.LayerNorm(width)
    this.attention = new Attention(settings, stage)
    this.drop_path = new DropPath(rate)
    this.layer_norm_2 = new torch.LayerNorm(width)
    this.mlp = new MixMlp(settings, width, Math.trunc(width * settings.mlp_ratios[stage]))
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(x: Tensor, grid: Grid, recorder: Recorder): Tensor {
    const { self, output } = this.attention
    const branch = this.dropout.forward(
      output.dense.forward(self.forward(this.layer_norm_1.forward(x), grid, recorder)),
    )
    const attended = add(this.drop_path.forward(branch), x)
    return add(this.drop_path.forward(this.mlp.forward(this.layer_norm_2.forward(attended), grid)), attended)
  }
}

class Encoder extends Module {
  readonly patch_embeddings: readonly PatchEmbedding[]
  readonly block: readonly Stage[]
  readonly layer_norm: readonly torch.LayerNorm[]

  constructor(settings: SegformerConfig) {
    super()
    const { hidden_sizes: widths, patch_sizes: patches, strides, num_channels: channels } = settings
    const rates = dropRates(settings.drop_path_rate, settings.depths)
    const stages = Array.from({ length: settings.num_encoder_blocks }, (_, i) => i)
    this.patch_embeddings = stages.map(
      (i) => new PatchEmbedding(i === 0 ? channels : widths[i - 1], widths[i], patches[i], strides[i]),
    )
    this.block = stages.map((i) => new Stage(settings, i, rates[i]))
    this.layer_norm = stages.map((i) => new torch.LayerNorm(widths[i]))
  }
}

/** The layers of a stage, which files number directly. */
class Stage extends Module {
  readonly layers: readonly Layer[]

  constructor(settings: SegformerConfig, stage: number, rates: readonly number[]) {
    super()
    this.layers = rates.map((rate) => new Layer(settings, stage, rate))
  }

  protected override *children(): Iterable<readonly [string, Module]> {
    for (const [i, layer] of this.layers.entries()) yield [String(i), layer]
  }
}

/** States of the stages [B, H, rows, columns], the last being `last_hidden_state`. */
export class SegformerModel extends EncoderModel<SegformerConfig> {
  static override readonly family: Family = family
  readonly encoder: Encoder

  constructor(settings: SegformerConfig) {
    super(settings)
    this.encoder = new Encoder(settings)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    let x = imagesOf(inputs, this.config.num_channels)
    const { patch_embeddings: patches, block, layer_norm: norms } = this.encoder
    for (const [i, { layers }] of block.entries()) {
      const projected = patches[i].proj.forward(x)
      const grid = { rows: projected.shape[2], columns: projected.shape[3] }
      const embedded = patches[i].layer_norm.forward(flattenGrid(projected))
      const states = norms[i].forward(layers.reduce((value, layer) => layer.forward(value, grid, recorder), embedded))
      const flat = i === block.length - 1 && !this.config.reshape_last_stage
      x = flat ? states : unflattenGrid(states, grid.rows, grid.columns)
      recorder.state(x)
    }
    return { last_hidden_state: x, ...recorder.outputs }
  }
}

/** Scores of the image [B, L]; `labels` [B]. */
export class SegformerForImageClassification extends Headed<SegformerConfig> {
  static override readonly family: Family = family
  readonly classifier: torch.Linear

  constructor(settings: SegformerConfig) {
    super(settings, new SegformerModel(settings))
    const { hidden_sizes: widths, num_labels: labels } = settings
    this.classifier = new torch.Linear(widths[widths.length - 1], labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const states = base.last_hidden_state
    const logits = this.classifier.forward(states.ndim === 4 ? states.mean([2, 3]) : states.mean(1))
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

class Projection extends Module {
  readonly proj: torch.Linear

  constructor(from: number, to: number) {
    super()
    this.proj = new torch.Linear(from, to)
  }
}

class DecodeHead extends Module {
  readonly linear_c: readonly Projection[]
  readonly linear_fuse: torch.Conv2d
  readonly batch_norm: torch.BatchNorm
  readonly dropout: torch.Dropout
  readonly classifier: torch.Conv2d

  constructor(settings: SegformerConfig) {
    super()
    const { decoder_hidden_size: width, num_encoder_blocks: stages, hidden_sizes: widths } = settings
    this.linear_c = widths.slice(0, stages).map((from) => new Projection(from, width))
    this.linear_fuse = new torch.Conv2d(width * stages, width, 1, { bias: false })
    this.batch_norm = new torch.BatchNorm(width)
    this.dropout = new torch.Dropout(settings.classifier_dropout_prob)
    this.classifier = new torch.Conv2d(width, settings.num_labels, 1)
  }

  forward(states: readonly Tensor[]): Tensor {
    const size = states[0].shape.slice(2)
    const grown = states.map((given, i) => {
      const side = Math.trunc(Math.sqrt(given.shape[1]))
      const x = given.ndim === 3 ? unflattenGrid(given, side, side) : given
      const projected = unflattenGrid(this.linear_c[i].proj.forward(flattenGrid(x)), x.shape[2], x.shape[3])
      return interpolate(projected, { size, mode: 'linear', alignCorners: false })
    })
    const fused = relu(this.batch_norm.forward(this.linear_fuse.forward(cat(grown.reverse(), 1))))
    return this.classifier.forward(this.dropout.forward(fused))
  }
}

/** Scores of places [B, L, rows / 4, columns / 4]; `labels` [B, rows, columns]. */
export class SegformerForSemanticSegmentation extends Headed<SegformerConfig> {
  static override readonly family: Family = family
  readonly decode_head: DecodeHead

  constructor(settings: SegformerConfig) {
    super(settings, new SegformerModel(settings))
    this.decode_head = new DecodeHead(settings)
  }

  private loss(logits: Tensor, given: TensorLike): Tensor {
    const labels = asTensor(given)
    const { num_labels: count, semantic_loss_ignore_index: ignoreIndex } = this.config
    const grown = interpolate(logits, { size: labels.shape.slice(-2), mode: 'linear', alignCorners: false })
    if (count > 1) return crossEntropy(grown, labels, { ignoreIndex })
    const valid = logicalAnd(labels.ge(0), labels.ne(ignoreIndex)).to(grown.dtype)
    const losses = binaryCrossEntropyWithLogits(grown.squeeze(1), labels.to(grown.dtype), { reduction: 'none' })
    return mul(losses, valid).mean()
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward({ ...inputs, output_hidden_states: true })
    const logits = this.decode_head.forward(base.hidden_states ?? [])
    const { hidden_states, ...rest } = passed(base)
    const wanted = inputs.output_hidden_states ?? this.config.output_hidden_states
    const states = wanted && hidden_states ? { hidden_states } : {}
    return { ...lossOf(inputs.labels, (labels) => this.loss(logits, labels)), logits, ...states, ...rest }
  }
}

export default defineModels({
  config,
  classes: { SegformerModel, SegformerForImageClassification, SegformerForSemanticSegmentation },
})
