/** CLIP (Radford et al. 2021). Shapes: B texts, I images, T tokens, H features, D shared features. */
import { torch } from '../nn/index.js'
import { crossEntropy } from '../tensor/functional/index.js'
import {
  arange,
  argmax,
  asTensor,
  div,
  eq,
  exp,
  iota,
  matmul,
  mul,
  Parameter,
  reshape,
  sqrt,
  sum,
  type Tensor,
  tensor,
  transpose,
} from '../tensor/index.js'
import { EncoderModel, Headed, pooled } from './blocks/heads.js'
import { classLoss } from './blocks/losses.js'
import { both, causalMask, keyMask } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { TowerEncoder, TowerPatchEmbeddings, TowerTextEmbeddings, towerOf } from './blocks/towers.js'
import { type ConfigOf, defineConfig, type JsonObject, parseConfig } from './pretrained/config.js'
import { defineModels, type ModelDefinition } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from './pretrained/io.js'
import { type Family, type Initialises, PreTrainedModel } from './pretrained/model.js'

const textConfig = defineConfig({
  model_type: 'clip_text_model',
  defaults: {
    vocab_size: 49408,
    hidden_size: 512,
    intermediate_size: 2048,
    projection_dim: 512,
    num_hidden_layers: 12,
    num_attention_heads: 8,
    max_position_embeddings: 77,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
    attention_dropout: 0,
    initializer_range: 0.02,
    pad_token_id: 1 as number | null,
    bos_token_id: 49406 as number | null,
    eos_token_id: 49407 as number | readonly number[] | null,
  },
  upgrade: towerOf('text_config', 'clip'),
})
export type ClipTextConfig = ConfigOf<typeof textConfig>

const visionConfig = defineConfig({
  model_type: 'clip_vision_model',
  defaults: {
    hidden_size: 768,
    intermediate_size: 3072,
    projection_dim: 512,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    num_channels: 3,
    image_size: 224,
    patch_size: 32,
    hidden_act: 'quick_gelu',
    layer_norm_eps: 1e-5,
    attention_dropout: 0,
    initializer_range: 0.02,
  },
  upgrade: towerOf('vision_config', 'clip'),
})
export type ClipVisionConfig = ConfigOf<typeof visionConfig>

/** Files of before 2023 state a tower's fields twice; the copy in `..._dict` holds. */
function upgrade(json: JsonObject): JsonObject {
  const { text_config_dict: text, vision_config_dict: vision, ...rest } = json
  const merged = (key: string, more: unknown): JsonObject =>
    more ? { [key]: { ...(rest[key] as JsonObject | undefined), ...(more as JsonObject) } } : {}
  return { ...rest, ...merged('text_config', text), ...merged('vision_config', vision) }
}

const config = defineConfig({
  model_type: 'clip',
  defaults: {
    text_config: {} as JsonObject,
    vision_config: {} as JsonObject,
    projection_dim: 512,
    logit_scale_init_value: 2.6592,
    initializer_factor: 1,
  },
  upgrade,
})
export type ClipConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: '' }
const OTHERS = /^(text_model|vision_model|text_projection|visual_projection|logit_scale)\b/
const textFamily: Family = { config: textConfig, prefix: 'text_model', ignored: OTHERS }
const visionFamily: Family = { config: visionConfig, prefix: 'vision_model', ignored: OTHERS }

export class CLIPTextModel extends EncoderModel<ClipTextConfig> {
  static override readonly family: Family = textFamily
  readonly embeddings: TowerTextEmbeddings
  readonly encoder: TowerEncoder
  readonly final_layer_norm: torch.LayerNorm

  constructor(settings: ClipTextConfig) {
    super(settings)
    this.embeddings = new TowerTextEmbeddings(settings)
    this.encoder = new TowerEncoder(settings)
    this.final_layer_norm = new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.token_embedding
  }

  /** Place of the end of each text [B]; old files name the wrong token (2), there it is the one with the highest index. */
  private ends(inputs: ModelInputs): Tensor {
    const ids = asTensor(inputs.input_ids ?? [])
    const { eos_token_id: end } = this.config
    if (end === 2) return argmax(ids, -1)
    const wanted = typeof end === 'number' ? [end] : (end ?? [])
    const [batch, tokens] = ids.shape
    const list = tensor(wanted, { dtype: 'i32' })
    const hits = eq(reshape(ids, [batch, tokens, 1]), reshape(list, [1, 1, wanted.length])).to('i32')
    return argmax(sum(hits, 2), -1)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const embedded = this.embeddings.forward(inputs)
    const [batch, tokens] = embedded.shape
    const mask = both(keyMask(inputs.attention_mask), causalMask(tokens, tokens, 0))
    const last_hidden_state = this.final_layer_norm.forward(this.encoder.forward(embedded, mask, recorder))
    const chosen = eq(iota([batch, tokens], 1), reshape(this.ends(inputs).to('i32'), [batch, 1]))
    const weights = reshape(chosen.to(last_hidden_state.dtype), [batch, tokens, 1])
    return { last_hidden_state, pooler_output: sum(mul(last_hidden_state, weights), 1), ...recorder.outputs }
  }
}

export class CLIPVisionModel extends EncoderModel<ClipVisionConfig> {
  static override readonly family: Family = visionFamily
  readonly embeddings: TowerPatchEmbeddings
  /** As spelled in published files. */
  readonly pre_layrnorm: torch.LayerNorm
  readonly encoder: TowerEncoder
  readonly post_layernorm: torch.LayerNorm

  constructor(settings: ClipVisionConfig) {
    super(settings)
    const norm = (): torch.LayerNorm => new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
    this.embeddings = new TowerPatchEmbeddings(settings, { classVector: true })
    this.pre_layrnorm = norm()
    this.encoder = new TowerEncoder(settings)
    this.post_layernorm = norm()
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const embedded = this.pre_layrnorm.forward(this.embeddings.forward(inputs))
    const last_hidden_state = this.encoder.forward(embedded, null, recorder)
    const pooler_output = this.post_layernorm.forward(last_hidden_state.select(1, 0))
    return { last_hidden_state, pooler_output, ...recorder.outputs }
  }
}

const unit = (x: Tensor): Tensor => div(x, sqrt(sum(mul(x, x), -1, { keepdim: true })))

/** Scores of every text for every image, [B, I] and [I, B]; `return_loss` pairs them by index. */
export class CLIPModel extends PreTrainedModel<ClipConfig> implements Initialises {
  static override readonly family: Family = family
  readonly text_model: CLIPTextModel
  readonly vision_model: CLIPVisionModel
  readonly visual_projection: torch.Linear
  readonly text_projection: torch.Linear
  readonly logit_scale: Parameter

  constructor(settings: ClipConfig) {
    super(settings)
    const text = parseConfig(textConfig, settings.text_config, 'text_config')
    const vision = parseConfig(visionConfig, settings.vision_config, 'vision_config')
    this.text_model = new CLIPTextModel(text)
    this.vision_model = new CLIPVisionModel(vision)
    this.visual_projection = new torch.Linear(vision.hidden_size, settings.projection_dim, { bias: false })
    this.text_projection = new torch.Linear(text.hidden_size, settings.projection_dim, { bias: false })
    this.logit_scale = new Parameter(tensor(settings.logit_scale_init_value))
  }

  /** The scale keeps its start. */
  initParameters(): void {}

  override inputEmbeddings(): torch.Embedding {
    return this.text_model.inputEmbeddings()
  }

  /** Vectors of texts [B, D], not normalised. */
  textFeatures(inputs: ModelInputs): Tensor {
    return this.text_projection.forward(pooled(this.text_model.forward(inputs)))
  }

  /** Vectors of images [I, D], not normalised. */
  imageFeatures(inputs: ModelInputs): Tensor {
    return this.visual_projection.forward(pooled(this.vision_model.forward(inputs)))
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const image_embeds = unit(this.imageFeatures(inputs))
    const text_embeds = unit(this.textFeatures(inputs))
    const logits_per_text = mul(matmul(text_embeds, transpose(image_embeds)), exp(this.logit_scale))
    const logits_per_image = transpose(logits_per_text)
    const loss = inputs.return_loss ? { loss: pairLoss(logits_per_text) } : {}
    return { ...loss, logits_per_image, logits_per_text, text_embeds, image_embeds }
  }
}

/** Each text should find its image, and each image its text. */
function pairLoss(scores: Tensor): Tensor {
  const pairs = arange(0, scores.shape[0], 1, { dtype: 'i32' })
  return crossEntropy(scores, pairs)
    .add(crossEntropy(transpose(scores), pairs))
    .div(2)
}

export class CLIPTextModelWithProjection extends Headed<ClipTextConfig, CLIPTextModel> {
  static override readonly family: Family = textFamily
  readonly text_projection: torch.Linear

  constructor(settings: ClipTextConfig) {
    super(settings, new CLIPTextModel(settings))
    this.text_projection = new torch.Linear(settings.hidden_size, settings.projection_dim, { bias: false })
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(inputs)
    const text_embeds = this.text_projection.forward(pooled(base))
    return { text_embeds, last_hidden_state: base.last_hidden_state, ...passed(base) }
  }
}

export class CLIPVisionModelWithProjection extends Headed<ClipVisionConfig, CLIPVisionModel> {
  static override readonly family: Family = visionFamily
  readonly visual_projection: torch.Linear

  constructor(settings: ClipVisionConfig) {
    super(settings, new CLIPVisionModel(settings))
    this.visual_projection = new torch.Linear(settings.hidden_size, settings.projection_dim, { bias: false })
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(inputs)
    const image_embeds = this.visual_projection.forward(pooled(base))
    return { image_embeds, last_hidden_state: base.last_hidden_state, ...passed(base) }
  }
}

/** Scores of the image [I, L] by the mean of its patches; `labels` [I]. */
export class CLIPForImageClassification extends Headed<ClipConfig, CLIPVisionModel> {
  static override readonly family: Family = { config, prefix: 'vision_model', ignored: OTHERS }
  readonly classifier: torch.Linear | null

  constructor(settings: ClipConfig) {
    const vision = parseConfig(visionConfig, settings.vision_config, 'vision_config')
    super(settings, new CLIPVisionModel(vision))
    const { num_labels: labels } = settings
    this.classifier = labels > 0 ? new torch.Linear(vision.hidden_size, labels) : null
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const states = base.last_hidden_state
    const mean = states.narrow(1, 1, states.shape[1] - 1).mean(1)
    const logits = this.classifier ? this.classifier.forward(mean) : mean
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export const clipText: ModelDefinition = defineModels({
  config: textConfig,
  classes: { CLIPTextModel, CLIPTextModelWithProjection },
})

export const clipVision: ModelDefinition = defineModels({
  config: visionConfig,
  classes: { CLIPVisionModel, CLIPVisionModelWithProjection },
})

export default defineModels({
  config,
  classes: {
    CLIPModel,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    CLIPForImageClassification,
  },
})
