/** SigLIP (Zhai et al. 2023). Shapes: B texts, I images, T tokens, H features. */
import { Module, torch } from '../nn/index.js'
import { linear } from '../tensor/functional/index.js'
import {
  add,
  div,
  exp,
  eye,
  logSigmoid,
  matmul,
  mul,
  neg,
  Parameter,
  random,
  sqrt,
  sum,
  type Tensor,
  transpose,
  zeros,
} from '../tensor/index.js'
import { attend, splitHeads } from './blocks/attention.js'
import { EncoderModel, Headed, pooled } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { keyMask } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { TowerEncoder, TowerMlp, TowerPatchEmbeddings, TowerTextEmbeddings, towerOf } from './blocks/towers.js'
import { type ConfigOf, defineConfig, type JsonObject, parseConfig } from './pretrained/config.js'
import { defineModels, type ModelDefinition } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from './pretrained/io.js'
import { type Family, type Initialises, PreTrainedModel } from './pretrained/model.js'

const textConfig = defineConfig({
  model_type: 'siglip_text_model',
  defaults: {
    vocab_size: 32000,
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    max_position_embeddings: 64,
    hidden_act: 'gelu_pytorch_tanh',
    layer_norm_eps: 1e-6,
    attention_dropout: 0,
    pad_token_id: 1 as number | null,
    bos_token_id: 49406 as number | null,
    eos_token_id: 49407 as number | readonly number[] | null,
    projection_size: null as number | null,
  },
  upgrade: towerOf('text_config', 'siglip'),
  derive: ({ projection_size: out, hidden_size: width }) => ({ projection_size: out ?? width }),
})
export type SiglipTextConfig = ConfigOf<typeof textConfig>

const visionConfig = defineConfig({
  model_type: 'siglip_vision_model',
  defaults: {
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_channels: 3,
    image_size: 224,
    patch_size: 16,
    hidden_act: 'gelu_pytorch_tanh',
    layer_norm_eps: 1e-6,
    attention_dropout: 0,
    vision_use_head: true,
  },
  upgrade: towerOf('vision_config', 'siglip'),
})
export type SiglipVisionConfig = ConfigOf<typeof visionConfig>

const config = defineConfig({
  model_type: 'siglip',
  defaults: { text_config: {} as JsonObject, vision_config: {} as JsonObject, initializer_factor: 1 },
})
export type SiglipConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: '' }
const OTHERS = /^(text_model|vision_model|logit_scale|logit_bias)\b/
const textFamily: Family = { config: textConfig, prefix: 'text_model', ignored: OTHERS }
const visionFamily: Family = { config: visionConfig, prefix: 'vision_model', ignored: OTHERS }

export class SiglipTextModel extends EncoderModel<SiglipTextConfig> {
  static override readonly family: Family = textFamily
  readonly embeddings: TowerTextEmbeddings
  readonly encoder: TowerEncoder
  readonly final_layer_norm: torch.LayerNorm
  readonly head: torch.Linear

  constructor(settings: SiglipTextConfig) {
    super(settings)
    const { hidden_size: width, layer_norm_eps: eps } = settings
    this.embeddings = new TowerTextEmbeddings(settings)
    this.encoder = new TowerEncoder(settings)
    this.final_layer_norm = new torch.LayerNorm(width, { eps })
    this.head = new torch.Linear(width, settings.projection_size ?? width)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.token_embedding
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const states = this.encoder.forward(this.embeddings.forward(inputs), keyMask(inputs.attention_mask), recorder)
    const last_hidden_state = this.final_layer_norm.forward(states)
    const pooler_output = this.head.forward(last_hidden_state.select(1, last_hidden_state.shape[1] - 1))
    return { last_hidden_state, pooler_output, ...recorder.outputs }
  }
}

/** Attention with its three maps in one matrix, as torch stores it. */
class PackedAttention extends Module implements Initialises {
  readonly in_proj_weight: Parameter
  readonly in_proj_bias: Parameter
  readonly out_proj: torch.Linear

  constructor(
    private readonly width: number,
    private readonly heads: number,
  ) {
    super()
    this.in_proj_weight = new Parameter(zeros([3 * width, width]))
    this.in_proj_bias = new Parameter(zeros([3 * width]))
    this.out_proj = new torch.Linear(width, width)
  }

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const bound = Math.sqrt(6 / (4 * this.width))
    const weight = this.in_proj_weight
    if (wants(weight)) weight.cell.settle(random.uniform(weight.shape, { low: -bound, high: bound }).value)
  }

  forward(queries: Tensor, states: Tensor): Tensor {
    const map = (x: Tensor, part: number): Tensor => {
      const [weight, bias] = [this.in_proj_weight.value, this.in_proj_bias.value].map((all) =>
        all.narrow(0, part * this.width, this.width),
      )
      return splitHeads(linear(x, weight, bias), this.heads)
    }
    return this.out_proj.forward(attend(map(queries, 0), map(states, 1), map(states, 2)).output)
  }
}

/** One learned query looks at all patches. */
class PoolingHead extends Module implements Initialises {
  readonly probe: Parameter
  readonly attention: PackedAttention
  readonly layernorm: torch.LayerNorm
  readonly mlp: TowerMlp

  constructor(settings: SiglipVisionConfig) {
    super()
    const { hidden_size: width, num_attention_heads: heads, layer_norm_eps: eps } = settings
    this.probe = new Parameter(zeros([1, 1, width]))
    this.attention = new PackedAttention(width, heads)
    this.layernorm = new torch.LayerNorm(width, { eps })
    this.mlp = new TowerMlp(settings)
  }

  initParameters(std: number, wants: (parameter: Parameter) => boolean): void {
    if (wants(this.probe)) this.probe.cell.settle(random.normal(this.probe.shape, { std }).value)
  }

  forward(states: Tensor): Tensor {
    const [batch, , width] = states.shape
    const found = this.attention.forward(this.probe.value.to(states.dtype).expand(batch, 1, width), states)
    return add(found, this.mlp.forward(this.layernorm.forward(found))).select(1, 0)
  }
}

export class SiglipVisionModel extends EncoderModel<SiglipVisionConfig> {
  static override readonly family: Family = visionFamily
  readonly embeddings: TowerPatchEmbeddings
  readonly encoder: TowerEncoder
  readonly post_layernorm: torch.LayerNorm
  readonly head: PoolingHead | null

  constructor(settings: SiglipVisionConfig) {
    super(settings)
    this.embeddings = new TowerPatchEmbeddings(settings, { classVector: false })
    this.encoder = new TowerEncoder(settings)
    this.post_layernorm = new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
    this.head = settings.vision_use_head ? new PoolingHead(settings) : null
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const states = this.encoder.forward(this.embeddings.forward(inputs), null, recorder)
    const last_hidden_state = this.post_layernorm.forward(states)
    const pooler = this.head ? { pooler_output: this.head.forward(last_hidden_state) } : {}
    return { last_hidden_state, ...pooler, ...recorder.outputs }
  }
}

const unit = (x: Tensor): Tensor => div(x, sqrt(sum(mul(x, x), -1, { keepdim: true })))

/** Each pair of a text and an image is right or wrong on its own. */
function pairLoss(scores: Tensor): Tensor {
  const right = mul(eye(scores.shape[0]), 2).sub(1)
  return neg(sum(logSigmoid(mul(right, scores)), -1)).mean()
}

/** Scores of every text for every image, [B, I] and [I, B]; `return_loss` pairs them by index. */
export class SiglipModel extends PreTrainedModel<SiglipConfig> implements Initialises {
  static override readonly family: Family = family
  readonly text_model: SiglipTextModel
  readonly vision_model: SiglipVisionModel
  readonly logit_scale: Parameter
  readonly logit_bias: Parameter

  constructor(settings: SiglipConfig) {
    super(settings)
    this.text_model = new SiglipTextModel(parseConfig(textConfig, settings.text_config, 'text_config'))
    this.vision_model = new SiglipVisionModel(parseConfig(visionConfig, settings.vision_config, 'vision_config'))
    this.logit_scale = new Parameter(zeros([1]))
    this.logit_bias = new Parameter(zeros([1]))
  }

  /** Scale and bias start at 0. */
  initParameters(): void {}

  override inputEmbeddings(): torch.Embedding {
    return this.text_model.inputEmbeddings()
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const image_embeds = unit(pooled(this.vision_model.forward(inputs)))
    const text_embeds = unit(pooled(this.text_model.forward(inputs)))
    const near = mul(matmul(text_embeds, transpose(image_embeds)), exp(this.logit_scale))
    const logits_per_text = add(near, this.logit_bias)
    const loss = inputs.return_loss ? { loss: pairLoss(logits_per_text) } : {}
    return { ...loss, logits_per_image: transpose(logits_per_text), logits_per_text, text_embeds, image_embeds }
  }
}

/** Scores of the image [I, L] by the mean of its patches; `labels` [I]. */
export class SiglipForImageClassification extends Headed<SiglipConfig, SiglipVisionModel> {
  static override readonly family: Family = { config, prefix: 'vision_model', ignored: OTHERS }
  readonly classifier: torch.Linear | null

  constructor(settings: SiglipConfig) {
    const vision = parseConfig(visionConfig, settings.vision_config, 'vision_config')
    super(settings, new SiglipVisionModel(vision))
    const { num_labels: labels } = settings
    this.classifier = labels > 0 ? new torch.Linear(vision.hidden_size, labels) : null
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const mean = base.last_hidden_state.mean(1)
    const logits = this.classifier ? this.classifier.forward(mean) : mean
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export const siglipText: ModelDefinition = defineModels({ config: textConfig, classes: { SiglipTextModel } })
export const siglipVision: ModelDefinition = defineModels({ config: visionConfig, classes: { SiglipVisionModel } })

export default defineModels({
  config,
  classes: { SiglipModel, SiglipTextModel, SiglipVisionModel, SiglipForImageClassification },
})
