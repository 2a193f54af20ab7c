/** Vision Transformer (Dosovitskiy et al. 2021). */
import { Module, torch } from '../nn/index.js'
import { add, type Tensor } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { EncoderModel, Headed } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { type Extent, PatchEmbeddings } from './blocks/vision.js'
import { DenseOutput, ViTAttention } from './blocks/vit-attention.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'vit',
  defaults: {
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    image_size: 224 as Extent,
    patch_size: 16 as Extent,
    num_channels: 3,
    qkv_bias: true,
    pooler_output_size: null as number | null,
    pooler_act: 'tanh',
  },
})
export type ViTConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'vit', optional: /(^|\.)pooler\./ }

class Intermediate extends Module {
  readonly dense: torch.Linear

  constructor(from: number, to: number) {
    super()
    this.dense = new torch.Linear(from, to)
  }
}

class Layer extends Module {
  readonly attention: ViTAttention
  readonly intermediate: Intermediate
  readonly output: DenseOutput
  readonly layernorm_before: torch.LayerNorm
  readonly layernorm_after: torch.LayerNorm
  readonly #act: ActivationFn

  constructor(settings: ViTConfig) {
    super()
    const { hidden_size: width, intermediate_size: inner, layer_norm_eps: eps } = settings
    this.attention = new ViTAttention(settings)
    this.intermediate = new Intermediate(width, inner)
    this.output = new DenseOutput(inner, width, settings.hidden_dropout_prob)
    this.layernorm_before = new torch.LayerNorm(width, { eps })
    this.layernorm_after = new torch.LayerNorm(width, { eps })
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor, recorder: Recorder): Tensor {
    const attended = add(x, this.attention.forward(this.layernorm_before.forward(x), recorder))
    const inner = this.#act(this.intermediate.dense.forward(this.layernorm_after.forward(attended)))
    return add(attended, this.output.forward(inner))
  }
}

class Encoder extends Module {
  readonly layer: readonly Layer[]

  constructor(settings: ViTConfig) {
    super()
    this.layer = Array.from({ length: settings.num_hidden_layers }, () => new Layer(settings))
  }
}

class Pooler extends Module {
  readonly dense: torch.Linear
  readonly #act: ActivationFn

  constructor({ hidden_size: width, pooler_output_size: out, pooler_act: act }: ViTConfig) {
    super()
    this.dense = new torch.Linear(width, out ?? width)
    this.#act = activation(act)
  }

  forward(states: Tensor): Tensor {
    return this.#act(this.dense.forward(states.select(1, 0)))
  }
}

export class ViTModel extends EncoderModel<ViTConfig> {
  static override readonly family: Family = family
  readonly embeddings: PatchEmbeddings
  readonly encoder: Encoder
  readonly layernorm: torch.LayerNorm
  readonly pooler: Pooler | null

  constructor(settings: ViTConfig, options: { pooler?: boolean; maskToken?: boolean } = {}) {
    super(settings)
    this.embeddings = new PatchEmbeddings(settings, { maskToken: options.maskToken ? [1, 1] : null })
    this.encoder = new Encoder(settings)
    this.layernorm = new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
    this.pooler = (options.pooler ?? true) ? new Pooler(settings) : null
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    let x = this.embeddings.forward(inputs, inputs.interpolate_pos_encoding ?? false)
    for (const layer of this.encoder.layer) {
      recorder.state(x)
      x = layer.forward(x, recorder)
    }
    recorder.state(x)
    const last_hidden_state = this.layernorm.forward(x)
    const pooled = this.pooler ? { pooler_output: this.pooler.forward(last_hidden_state) } : {}
    return { last_hidden_state, ...pooled, ...recorder.outputs }
  }
}

/** Scores of the image [B, L] by the class token; `labels` [B]. */
export class ViTForImageClassification extends Headed<ViTConfig> {
  static override readonly family: Family = family
  readonly classifier: torch.Linear | null

  constructor(settings: ViTConfig) {
    super(settings, new ViTModel(settings, { pooler: false }))
    const { hidden_size: width, num_labels: labels } = settings
    this.classifier = labels > 0 ? new torch.Linear(width, labels) : null
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const first = base.last_hidden_state.select(1, 0)
    const logits = this.classifier ? this.classifier.forward(first) : first
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export default defineModels({ config, classes: { ViTModel, ViTForImageClassification } })
