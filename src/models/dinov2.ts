/** DINOv2 (Oquab et al. 2023): ViT with scaled residual branches; images of any size. */
import { Module, torch } from '../nn/index.js'
import { add, cat, full, mul, Parameter, type Tensor } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { EncoderModel, Headed } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { DropPath, type Extent, PatchEmbeddings } from './blocks/vision.js'
import { ViTAttention } from './blocks/vit-attention.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'dinov2',
  defaults: {
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    mlp_ratio: 4,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.02,
    layer_norm_eps: 1e-6,
    image_size: 224 as Extent,
    patch_size: 14 as Extent,
    num_channels: 3,
    qkv_bias: true,
    layerscale_value: 1,
    drop_path_rate: 0,
    use_swiglu_ffn: false,
    use_mask_token: true,
  },
})
export type Dinov2Config = ConfigOf<typeof config>

const family: Family = { config, prefix: 'dinov2', optional: /mask_token$/ }

class LayerScale extends Module {
  readonly lambda1: Parameter

  constructor({ hidden_size: width, layerscale_value: value }: Dinov2Config) {
    super()
    this.lambda1 = new Parameter(full([width], value))
  }

  forward(x: Tensor): Tensor {
    return mul(x, this.lambda1)
  }
}

/** Plain (`fc1`, `fc2`), or gated (`weights_in`, `weights_out`). */
class Mlp extends Module {
  readonly fc1: torch.Linear | null
  readonly fc2: torch.Linear | null
  readonly weights_in: torch.Linear | null
  readonly weights_out: torch.Linear | null
  readonly #act: ActivationFn

  constructor({ hidden_size: width, mlp_ratio: ratio, hidden_act: act, use_swiglu_ffn: gated }: Dinov2Config) {
    super()
    const inner = Math.trunc(width * ratio)
    const narrow = Math.trunc((Math.trunc((inner * 2) / 3) + 7) / 8) * 8
    this.fc1 = gated ? null : new torch.Linear(width, inner)
    this.fc2 = gated ? null : new torch.Linear(inner, width)
    this.weights_in = gated ? new torch.Linear(width, 2 * narrow) : null
    this.weights_out = gated ? new torch.Linear(narrow, width) : null
    this.#act = activation(gated ? 'silu' : act)
  }

  forward(x: Tensor): Tensor {
    if (this.fc1 && this.fc2) return this.fc2.forward(this.#act(this.fc1.forward(x)))
    const [gate, up] = (this.weights_in as torch.Linear).forward(x).chunk(2, -1)
    return (this.weights_out as torch.Linear).forward(mul(this.#act(gate), up))
  }
}

class Layer extends Module {
  readonly norm1: torch.LayerNorm
  readonly attention: ViTAttention
  readonly layer_scale1: LayerScale
  readonly drop_path: DropPath
  readonly norm2: torch.LayerNorm
  readonly mlp: Mlp
  readonly layer_scale2: LayerScale

  constructor(settings: Dinov2Config) {
    super()
    const { hidden_size: width, layer_norm_eps: eps } = settings
    this.norm1 = new torch.LayerNorm(width, { eps })
    this.attention = new ViTAttention(settings)
    this.layer_scale1 = new LayerScale(settings)
    this.drop_path = new DropPath(settings.drop_path_rate)
    this.norm2 = new torch.LayerNorm(width, { eps })
    this.mlp = new Mlp(settings)
    this.layer_scale2 = new LayerScale(settings)
  }

  forward(x: Tensor, recorder: Recorder): Tensor {
    const branch = this.layer_scale1.forward(this.attention.forward(this.norm1.forward(x), recorder))
    const attended = add(this.drop_path.forward(branch), x)
    const inner = this.layer_scale2.forward(this.mlp.forward(this.norm2.forward(attended)))
    return add(this.drop_path.forward(inner), attended)
  }
}

class Encoder extends Module {
  readonly layer: readonly Layer[]

  constructor(settings: Dinov2Config) {
    super()
    this.layer = Array.from({ length: settings.num_hidden_layers }, () => new Layer(settings))
  }
}

export class Dinov2Model extends EncoderModel<Dinov2Config> {
  static override readonly family: Family = family
  readonly embeddings: PatchEmbeddings
  readonly encoder: Encoder
  readonly layernorm: torch.LayerNorm

  constructor(settings: Dinov2Config) {
    super(settings)
    this.embeddings = new PatchEmbeddings(settings, { maskToken: settings.use_mask_token ? [1] : null })
    this.encoder = new Encoder(settings)
    this.layernorm = new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    let x = this.embeddings.forward(inputs, true)
    for (const layer of this.encoder.layer) {
      recorder.state(x)
      x = layer.forward(x, recorder)
    }
    recorder.state(x)
    const last_hidden_state = this.layernorm.forward(x)
    return { last_hidden_state, pooler_output: last_hidden_state.select(1, 0), ...recorder.outputs }
  }
}

/** Scores of the image [B, L] by the class token beside the mean of the patches; `labels` [B]. */
export class Dinov2ForImageClassification extends Headed<Dinov2Config> {
  static override readonly family: Family = family
  readonly classifier: torch.Linear

  constructor(settings: Dinov2Config) {
    super(settings, new Dinov2Model(settings))
    this.classifier = new torch.Linear(2 * settings.hidden_size, settings.num_labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const states = base.last_hidden_state
    const patches = states.narrow(1, 1, states.shape[1] - 1).mean(1)
    const logits = this.classifier.forward(cat([states.select(1, 0), patches], 1))
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export default defineModels({ config, classes: { Dinov2Model, Dinov2ForImageClassification } })
