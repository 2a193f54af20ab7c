/** DETR (Carion et al. 2020). Shapes: B batch, S places of the map, Q queries, H features. */
import { Module, torch } from '../nn/index.js'
import { dropout } from '../tensor/functional/index.js'
import { add, asTensor, ne, ones, relu, reshape, sigmoid, type Tensor, tensor, zeros } from '../tensor/index.js'
import { type DetectionTarget, setLoss } from './blocks/boxes.js'
import { DetrStack, LearnedGrid, sinePlaces } from './blocks/detr-layers.js'
import { EncoderModel, Headed } from './blocks/heads.js'
import { keyMask } from './blocks/masks.js'
import { Recorder } from './blocks/outputs.js'
import { decoderFields, encoderFields, passedSeq2Seq } from './blocks/seq2seq.js'
import { flattenGrid } from './blocks/vision.js'
import { type ConfigOf, defineConfig, type JsonObject, parseConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { KeyRule } from './pretrained/keys.js'
import type { Family } from './pretrained/model.js'
import { type ResNetConfig, ResNetModel, resNetConfig } from './resnet.js'

/** Depths of the ResNets that older configs name as their `backbone`. */
const RESNETS: Readonly<Record<string, JsonObject>> = {
  resnet18: { depths: [2, 2, 2, 2], layer_type: 'basic', hidden_sizes: [64, 128, 256, 512] },
  resnet34: { depths: [3, 4, 6, 3], layer_type: 'basic', hidden_sizes: [64, 128, 256, 512] },
  resnet50: { depths: [3, 4, 6, 3] },
  resnet101: { depths: [3, 4, 23, 3] },
  resnet152: { depths: [3, 8, 36, 3] },
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Backbones by name, as timm builds them, become ResNets of this library. */
function upgrade(json: JsonObject): JsonObject {
  const { backbone_config: given, backbone: name } = json
  if (isObject(given) && given.model_type !== 'timm_backbone') return json
  const wanted = String((isObject(given) ? given.backbone : name) ?? 'resnet50')
  const key = wanted.split('.')[0]
  if (!Object.hasOwn(RESNETS, key))
    throw new RangeError(`the backbone '${wanted}' is not supported; there are ${Object.keys(RESNETS).join(', ')}`)
  const backbone = { model_type: 'resnet', out_features: ['stage4'], ...RESNETS[key] }
  return { ...json, backbone: null, use_timm_backbone: false, backbone_config: backbone }
}

const config = defineConfig({
  model_type: 'detr',
  defaults: {
    backbone_config: {} as JsonObject,
    num_channels: 3,
    num_queries: 100,
    encoder_layers: 6,
    encoder_ffn_dim: 2048,
    encoder_attention_heads: 8,
    decoder_layers: 6,
    decoder_ffn_dim: 2048,
    decoder_attention_heads: 8,
    is_encoder_decoder: true,
    activation_function: 'relu',
    d_model: 256,
    dropout: 0.1,
    attention_dropout: 0,
    activation_dropout: 0,
    init_std: 0.02,
    auxiliary_loss: false,
    position_embedding_type: 'sine',
    dilation: false,
    class_cost: 1,
    bbox_cost: 5,
    giou_cost: 2,
    bbox_loss_coefficient: 5,
    giou_loss_coefficient: 2,
    eos_coefficient: 0.1,
  },
  aliases: {
    hidden_size: 'd_model',
    num_attention_heads: 'encoder_attention_heads',
    num_hidden_layers: 'encoder_layers',
  },
  upgrade,
})
export type DetrConfig = ConfigOf<typeof config>

/** timm's names of a ResNet's parts. */
const TIMM: readonly KeyRule[] = [
  { rename: /conv_encoder\.model\.conv1\./, to: 'conv_encoder.model.embedder.embedder.convolution.' },
  { rename: /conv_encoder\.model\.bn1\./, to: 'conv_encoder.model.embedder.embedder.normalization.' },
  { rename: /conv_encoder\.model\.layer1\./, to: 'conv_encoder.model.encoder.stages.0.layers.' },
  { rename: /conv_encoder\.model\.layer2\./, to: 'conv_encoder.model.encoder.stages.1.layers.' },
  { rename: /conv_encoder\.model\.layer3\./, to: 'conv_encoder.model.encoder.stages.2.layers.' },
  { rename: /conv_encoder\.model\.layer4\./, to: 'conv_encoder.model.encoder.stages.3.layers.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.conv1\./, to: '$1.layer.0.convolution.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.conv2\./, to: '$1.layer.1.convolution.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.conv3\./, to: '$1.layer.2.convolution.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.bn1\./, to: '$1.layer.0.normalization.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.bn2\./, to: '$1.layer.1.normalization.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.bn3\./, to: '$1.layer.2.normalization.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.downsample\.0\./, to: '$1.shortcut.convolution.' },
  { rename: /(stages\.\d+\.layers\.\d+)\.downsample\.1\./, to: '$1.shortcut.normalization.' },
]

const family: Family = {
  config,
  prefix: 'model',
  keys: [{ drop: /num_batches_tracked$/ }, ...TIMM],
}

class ConvEncoder extends Module {
  readonly model: ResNetModel
  readonly #stages: readonly number[]

  constructor(settings: DetrConfig) {
    super()
    const given = settings.backbone_config
    if (given.model_type !== undefined && given.model_type !== 'resnet')
      throw new RangeError(`backbones of the type '${given.model_type}' are not supported`)
    if (settings.dilation) throw new RangeError('a dilated backbone is not supported')
    const backbone: ResNetConfig = parseConfig(resNetConfig, given, 'backbone_config')
    this.model = new ResNetModel(backbone, { frozen: true })
    const names = ['stem', ...backbone.hidden_sizes.map((_, i) => `stage${i + 1}`)]
    const wanted = Array.isArray(given.out_features) ? given.out_features : [names[names.length - 1]]
    this.#stages = wanted.map((name) => {
      const stage = names.indexOf(String(name))
      if (stage < 0) throw new RangeError(`out_features names '${name}'; there are ${names.join(', ')}`)
      return stage
    })
  }

  get width(): number {
    const { embedding_size: stem, hidden_sizes: widths } = this.model.config
    return [stem, ...widths][this.#stages[this.#stages.length - 1]]
  }

  forward(inputs: ModelInputs): Tensor {
    return this.model.features(inputs)[this.#stages[this.#stages.length - 1]]
  }
}

class Backbone extends Module {
  readonly conv_encoder: ConvEncoder

  constructor(settings: DetrConfig) {
    super()
    this.conv_encoder = new ConvEncoder(settings)
  }
}

/** A mask of pixels [B, rows, columns] at the places of a smaller map, as bool. */
function shrunk(mask: Tensor, rows: number, columns: number): Tensor {
  const pick = (from: number, to: number): Tensor =>
    tensor(Int32Array.from({ length: to }, (_, i) => Math.floor((i * from) / to)))
  return ne(mask, 0).indexSelect(1, pick(mask.shape[1], rows)).indexSelect(2, pick(mask.shape[2], columns))
}

export class DetrModel extends EncoderModel<DetrConfig> {
  static override readonly family: Family = family
  readonly backbone: Backbone
  readonly position_embedding: LearnedGrid | null
  readonly query_position_embeddings: torch.Embedding
  readonly input_projection: torch.Conv2d
  readonly encoder: DetrStack
  readonly decoder: DetrStack

  constructor(settings: DetrConfig) {
    super(settings)
    const { d_model: width, position_embedding_type: kind } = settings
    if (kind !== 'sine' && kind !== 'learned')
      throw new RangeError(`position_embedding_type must be 'sine' or 'learned', got '${kind}'`)
    this.backbone = new Backbone(settings)
    this.position_embedding = kind === 'learned' ? new LearnedGrid(width / 2) : null
    this.query_position_embeddings = new torch.Embedding(settings.num_queries, width)
    this.input_projection = new torch.Conv2d(this.backbone.conv_encoder.width, width, 1)
    this.encoder = new DetrStack(settings, false)
    this.decoder = new DetrStack(settings, true)
  }

  protected override get initStd(): number {
    return this.config.init_std
  }

  /** States of the queries [B, Q, H], with those between layers where the loss asks for them. */
  run(inputs: ModelInputs): { output: BaseModelOutput; between: readonly Tensor[] } {
    const { d_model: width, num_queries: queries, dropout: p } = this.config
    const map = this.backbone.conv_encoder.forward(inputs)
    const [batch, , rows, columns] = map.shape
    const given = inputs.pixel_mask
    const mask =
      given === null || given === undefined
        ? ones([batch, rows, columns]).ne(0)
        : shrunk(asTensor(given), rows, columns)
    const places = this.position_embedding
      ? this.position_embedding.forward(batch, rows, columns)
      : sinePlaces(mask, width)
    const keys = given === null || given === undefined ? null : keyMask(reshape(mask, [batch, -1]))
    const recorder = new Recorder(this.config, inputs)
    const flat = flattenGrid(this.input_projection.forward(map))
    const dropped = this.training && p > 0 ? dropout(flat, { p }) : flat
    const source = this.encoder.forward(dropped, { recorder, places, mask: keys }).x
    const own = new Recorder(this.config, inputs, true)
    const slots = this.query_position_embeddings.weight.value.unsqueeze(0).expand(batch, queries, width)
    const { x, between } = this.decoder.forward(zeros([batch, queries, width]), {
      recorder: own,
      places: slots,
      mask: keyMask(inputs.decoder_attention_mask),
      source: { states: source, places, mask: keys },
    })
    const output = { last_hidden_state: x, ...encoderFields(source, recorder), ...decoderFields(own) }
    return { output, between }
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    return this.run(inputs).output
  }
}

class BoxHead extends Module {
  readonly layers: readonly torch.Linear[]

  constructor(width: number) {
    super()
    this.layers = [new torch.Linear(width, width), new torch.Linear(width, width), new torch.Linear(width, 4)]
  }

  forward(states: Tensor): Tensor {
    const [first, second, last] = this.layers
    return sigmoid(last.forward(relu(second.forward(relu(first.forward(states))))))
  }
}

/**
 * Classes [B, Q, L + 1], the last meaning "nothing", and boxes [B, Q, 4]; `labels` are a list with `class_labels` [M] and `boxes` [M, 4]
 * of each image.
 */
export class DetrForObjectDetection extends Headed<DetrConfig, DetrModel> {
  static override readonly family: Family = family
  readonly class_labels_classifier: torch.Linear
  readonly bbox_predictor: BoxHead

  constructor(settings: DetrConfig) {
    super(settings, new DetrModel(settings))
    this.class_labels_classifier = new torch.Linear(settings.d_model, settings.num_labels + 1)
    this.bbox_predictor = new BoxHead(settings.d_model)
  }

  private loss(states: readonly Tensor[], targets: readonly DetectionTarget[]): Tensor {
    return states
      .map((x) =>
        setLoss(this.class_labels_classifier.forward(x), this.bbox_predictor.forward(x), targets, this.config),
      )
      .reduce((a, b) => add(a, b))
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { output, between } = this.base.run(inputs)
    const states = output.last_hidden_state
    const targets = inputs.labels as unknown as readonly DetectionTarget[] | null | undefined
    const loss = targets ? { loss: this.loss([states, ...between.slice(0, -1)], targets) } : {}
    const logits = this.class_labels_classifier.forward(states)
    const pred_boxes = this.bbox_predictor.forward(states)
    return { ...loss, logits, pred_boxes, last_hidden_state: states, ...passedSeq2Seq(output) }
  }
}

export default defineModels({ config, classes: { DetrModel, DetrForObjectDetection } })
