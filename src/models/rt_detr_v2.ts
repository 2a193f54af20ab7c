/** RT-DETRv2 (Lv et al. 2024), to detect with: its losses are not here. Shapes: B batch, S places of all maps, Q queries, H features. */
import { Module, torch } from '../nn/index.js'
import { gridSample } from '../tensor/functional/index.js'
import {
  add,
  cat,
  clamp,
  div,
  expand,
  gather,
  log,
  mul,
  Parameter,
  permute,
  relu,
  reshape,
  sigmoid,
  softmax,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tensor,
  topK,
} from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { PlacedAttention } from './blocks/detr-layers.js'
import { EncoderModel, Headed } from './blocks/heads.js'
import { Recorder } from './blocks/outputs.js'
import { ResNetD } from './blocks/resnet-d.js'
import { HybridEncoder } from './blocks/rt-detr-encoder.js'
import { decoderFields, encoderFields } from './blocks/seq2seq.js'
import { flattenGrid, imagesOf } from './blocks/vision.js'
import { type ConfigOf, defineConfig, type JsonObject, parseConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'
import { resNetConfig } from './resnet.js'

type Numbers = readonly number[]

const config = defineConfig({
  model_type: 'rt_detr_v2',
  defaults: {
    initializer_range: 0.01,
    layer_norm_eps: 1e-5,
    batch_norm_eps: 1e-5,
    backbone_config: { out_features: ['stage2', 'stage3', 'stage4'] } as JsonObject,
    freeze_backbone_batch_norms: true,
    encoder_hidden_dim: 256,
    encoder_in_channels: [512, 1024, 2048] as Numbers,
    feat_strides: [8, 16, 32] as Numbers,
    encoder_layers: 1,
    encoder_ffn_dim: 1024,
    encoder_attention_heads: 8,
    dropout: 0,
    activation_dropout: 0,
    encode_proj_layers: [2] as Numbers,
    positional_encoding_temperature: 10000,
    encoder_activation_function: 'gelu',
    activation_function: 'silu',
    eval_size: null as Numbers | number | null,
    normalize_before: false,
    hidden_expansion: 1,
    d_model: 256,
    num_queries: 300,
    decoder_in_channels: [256, 256, 256] as Numbers,
    decoder_ffn_dim: 1024,
    num_feature_levels: 3,
    decoder_n_points: 4,
    decoder_n_levels: 3,
    decoder_offset_scale: 0.5,
    decoder_method: 'default',
    decoder_layers: 6,
    decoder_attention_heads: 8,
    decoder_activation_function: 'relu',
    attention_dropout: 0,
    num_denoising: 100,
    learn_initial_query: false,
    is_encoder_decoder: true,
  },
  aliases: { hidden_size: 'd_model', num_attention_heads: 'encoder_attention_heads' },
})
export type RTDetrV2Config = ConfigOf<typeof config>

/** Heads of the decoder stand in files with the decoder; older ones hold them twice. */
const family: Family = { config, prefix: 'model', ignored: /^(class_embed|bbox_embed)\./ }

class Mlp extends Module {
  readonly layers: readonly torch.Linear[]

  constructor(...widths: Numbers) {
    super()
    this.layers = widths.slice(1).map((to, i) => new torch.Linear(widths[i], to))
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer, i) => layer.forward(i === 0 ? value : relu(value)), x)
  }
}

/** Values of maps [N, C, rows, columns] at the places that hold the points [N, Q, P, 2]: [N, C, Q, P]. */
function nearest(maps: Tensor, points: Tensor): Tensor {
  const [count, width, rows, columns] = maps.shape
  const [, queries, each] = points.shape
  const index = (axis: number, extent: number): Tensor =>
    clamp(points.select(-1, axis).mul(extent).add(0.5).to('i32'), 0, extent - 1)
  const flat = add(mul(index(1, rows), columns), index(0, columns))
  const wanted = expand(reshape(flat, [count, 1, queries * each]), [count, width, queries * each])
  return reshape(gather(reshape(maps, [count, width, rows * columns]), 2, wanted), [count, width, queries, each])
}

/** What all layers of the decoder look at: memory [B, S, H] of maps of the given sizes. */
interface Scene {
  readonly memory: Tensor
  readonly sizes: readonly Numbers[]
  readonly recorder: Recorder
}

/** Each query looks at a few points of every map around its box. */
class DeformableAttention extends Module {
  readonly sampling_offsets: torch.Linear
  readonly attention_weights: torch.Linear
  readonly value_proj: torch.Linear
  readonly output_proj: torch.Linear
  readonly n_points_scale: Parameter

  constructor(private readonly settings: RTDetrV2Config) {
    super()
    const {
      d_model: width,
      decoder_attention_heads: heads,
      decoder_n_levels: levels,
      decoder_n_points: points,
    } = settings
    if (width % heads !== 0) throw new RangeError(`d_model ${width} does not divide into ${heads} heads`)
    if (settings.decoder_method !== 'default' && settings.decoder_method !== 'discrete')
      throw new RangeError(`decoder_method must be 'default' or 'discrete', got '${settings.decoder_method}'`)
    this.sampling_offsets = new torch.Linear(width, heads * levels * points * 2)
    this.attention_weights = new torch.Linear(width, heads * levels * points)
    this.value_proj = new torch.Linear(width, width)
    this.output_proj = new torch.Linear(width, width)
    const shares = new Float32Array(levels * points).fill(1 / points)
    this.n_points_scale = new Parameter(tensor(shares), { trainable: false })
  }

  /** Queries [B, Q, H], boxes [B, Q, 4]. */
  forward(x: Tensor, boxes: Tensor, { memory, sizes, recorder }: Scene): Tensor {
    const { decoder_attention_heads: heads, decoder_n_points: points } = this.settings
    const [batch, queries, width] = x.shape
    const all = sizes.length * points
    const perHead = (y: Tensor, rest: Numbers): Tensor => {
      const split = reshape(y, [batch, queries, heads, ...rest])
      const order = [0, 2, 1, ...rest.map((_, i) => 3 + i)]
      return reshape(permute(split, order), [batch * heads, queries, ...rest])
    }
    const box = reshape(boxes, [batch, queries, 1, 1, 4])
    const raw = reshape(this.sampling_offsets.forward(x), [batch, queries, heads, all, 2])
    const scaled = mul(mul(raw, reshape(this.n_points_scale, [all, 1])), box.narrow(-1, 2, 2))
    const places = add(box.narrow(-1, 0, 2), mul(scaled, this.settings.decoder_offset_scale))
    const points2d = perHead(places, [all, 2])
    const shares = softmax(reshape(this.attention_weights.forward(x), [batch, queries, heads, all]), -1)
    if (recorder.wantsAttentions) recorder.crossAttention(shares)
    const weights = perHead(shares, [all])
    const values = permute(this.value_proj.forward(memory), [0, 2, 1])
    let start = 0
    const seen = sizes.map(([rows, columns], level) => {
      const map = values.narrow(2, start, rows * columns)
      start += rows * columns
      const image = reshape(map, [batch * heads, width / heads, rows, columns])
      const at = points2d.narrow(2, level * points, points)
      return this.settings.decoder_method === 'discrete' ? nearest(image, at) : gridSample(image, sub(mul(at, 2), 1))
    })
    const mixed = sum(mul(cat(seen, -1), weights.unsqueeze(1)), -1)
    return this.output_proj.forward(permute(reshape(mixed, [batch, width, queries]), [0, 2, 1]))
  }
}

class DecoderLayer extends Module {
  readonly self_attn: PlacedAttention
  readonly self_attn_layer_norm: torch.LayerNorm
  readonly encoder_attn: DeformableAttention
  readonly encoder_attn_layer_norm: torch.LayerNorm
  readonly fc1: torch.Linear
  readonly fc2: torch.Linear
  readonly final_layer_norm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly activation_dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: RTDetrV2Config) {
    super()
    const { d_model: width, layer_norm_eps: eps, decoder_ffn_dim: inner } = settings
    this.self_attn = new PlacedAttention(width, settings.decoder_attention_heads, settings.attention_dropout)
    this.self_attn_layer_norm = new torch.LayerNorm(width, { eps })
    this.encoder_attn = new DeformableAttention(settings)
    this.encoder_attn_layer_norm = new torch.LayerNorm(width, { eps })
    this.fc1 = new torch.Linear(width, inner)
    this.fc2 = new torch.Linear(inner, width)
    this.final_layer_norm = new torch.LayerNorm(width, { eps })
    this.dropout = new torch.Dropout(settings.dropout)
    this.activation_dropout = new torch.Dropout(settings.activation_dropout)
    this.#act = activation(settings.decoder_activation_function)
  }

  forward(states: Tensor, places: Tensor, boxes: Tensor, scene: Scene): Tensor {
    const { recorder } = scene
    const placed = add(states, places)
    const own = this.self_attn.look(placed, placed, states, null, recorder.wantsAttentions)
    recorder.attention(own.weights)
    const x = this.self_attn_layer_norm.forward(add(states, this.dropout.forward(own.output)))
    const seen = this.encoder_attn.forward(add(x, places), boxes, scene)
    const y = this.encoder_attn_layer_norm.forward(add(x, this.dropout.forward(seen)))
    const inner = this.activation_dropout.forward(this.#act(this.fc1.forward(y)))
    return this.final_layer_norm.forward(add(y, this.dropout.forward(this.fc2.forward(inner))))
  }
}

/** Logits of shares, with those at the ends kept finite. */
function unsquash(x: Tensor): Tensor {
  const inside = clamp(x, 0, 1)
  return log(div(clamp(inside, 1e-5), clamp(sub(1, inside), 1e-5)))
}

interface Decoded {
  readonly states: Tensor
  readonly logits: Tensor
  readonly boxes: Tensor
}

class Decoder extends Module {
  readonly layers: readonly DecoderLayer[]
  readonly query_pos_head: Mlp
  readonly class_embed: readonly torch.Linear[]
  readonly bbox_embed: readonly Mlp[]

  constructor(settings: RTDetrV2Config) {
    super()
    const { d_model: width, decoder_layers: count, num_labels: labels } = settings
    this.layers = Array.from({ length: count }, () => new DecoderLayer(settings))
    this.query_pos_head = new Mlp(4, 2 * width, width)
    this.class_embed = Array.from({ length: count }, () => new torch.Linear(width, labels))
    this.bbox_embed = Array.from({ length: count }, () => new Mlp(width, width, width, 4))
  }

  forward(queries: Tensor, start: Tensor, scene: Scene): Decoded {
    let [states, boxes, logits, found] = [queries, sigmoid(start), queries, start]
    for (const [i, layer] of this.layers.entries()) {
      scene.recorder.state(states)
      states = layer.forward(states, this.query_pos_head.forward(boxes), boxes, scene)
      found = sigmoid(add(this.bbox_embed[i].forward(states), unsquash(boxes)))
      boxes = stopGradient(found)
      logits = this.class_embed[i].forward(states)
    }
    scene.recorder.state(states)
    return { states, logits, boxes: found }
  }
}

/** A 1 x 1 (or shrinking 3 x 3) convolution and a norm, as torch numbers them. */
const projection = (from: number, to: number, eps: number, shrinks = false): torch.Sequential =>
  new torch.Sequential(
    new torch.Conv2d(from, to, shrinks ? 3 : 1, { bias: false, ...(shrinks ? { stride: 2, padding: 1 } : {}) }),
    new torch.BatchNorm(to, { eps }),
  )

const FARTHEST = 3.4028234663852886e38

/** A box of a standard size at each place, as logits [1, S, 4], and which of them lie inside of the image [1, S, 1]. */
function anchors(sizes: readonly Numbers[]): { readonly boxes: Tensor; readonly valid: Tensor } {
  const boxes: number[] = []
  const valid: number[] = []
  for (const [level, [rows, columns]] of sizes.entries())
    for (let place = 0; place < rows * columns; place++) {
      const side = 0.05 * 2 ** level
      const box = [((place % columns) + 0.5) / columns, (Math.floor(place / columns) + 0.5) / rows, side, side]
      const inside = box.every((value) => value > 0.01 && value < 0.99)
      boxes.push(...box.map((value) => (inside ? Math.log(value / (1 - value)) : FARTHEST)))
      valid.push(inside ? 1 : 0)
    }
  return {
    boxes: tensor(Float32Array.from(boxes), { shape: [1, valid.length, 4] }),
    valid: tensor(Float32Array.from(valid), { shape: [1, valid.length, 1] }),
  }
}

class Backbone extends Module {
  readonly model: ResNetD
  readonly widths: Numbers
  readonly #stages: Numbers
  readonly #channels: number

  constructor({ backbone_config: given, freeze_backbone_batch_norms: frozen }: RTDetrV2Config) {
    super()
    if (given.model_type !== undefined && given.model_type !== 'rt_detr_resnet')
      throw new RangeError(`backbones of the type '${given.model_type}' are not supported`)
    const settings = parseConfig(resNetConfig, given, 'backbone_config')
    this.model = new ResNetD(settings, { frozen })
    const names = ['stem', ...settings.hidden_sizes.map((_, i) => `stage${i + 1}`)]
    const wanted = Array.isArray(given.out_features) ? given.out_features.map(String) : [names[names.length - 1]]
    this.#stages = names.flatMap((name, i) => (wanted.includes(name) ? [i] : []))
    this.widths = this.#stages.map((stage) => [settings.embedding_size, ...settings.hidden_sizes][stage])
    this.#channels = settings.num_channels
  }

  forward(inputs: ModelInputs): readonly Tensor[] {
    const maps = this.model.features(imagesOf(inputs, this.#channels))
    return this.#stages.map((stage) => maps[stage])
  }
}

export class RTDetrV2Model extends EncoderModel<RTDetrV2Config> {
  static override readonly family: Family = family
  readonly backbone: Backbone
  readonly encoder_input_proj: readonly torch.Sequential[]
  readonly encoder: HybridEncoder
  readonly denoising_class_embed: torch.Embedding | null
  readonly weight_embedding: torch.Embedding | null
  readonly enc_output: torch.Sequential
  readonly enc_score_head: torch.Linear
  readonly enc_bbox_head: Mlp
  readonly decoder_input_proj: readonly torch.Sequential[]
  readonly decoder: Decoder

  constructor(settings: RTDetrV2Config) {
    super(settings)
    const { d_model: width, num_labels: labels, layer_norm_eps: eps, batch_norm_eps: batchEps } = settings
    this.backbone = new Backbone(settings)
    this.encoder_input_proj = this.backbone.widths.map((from) => projection(from, settings.encoder_hidden_dim, 1e-5))
    this.encoder = new HybridEncoder(settings)
    this.denoising_class_embed = settings.num_denoising > 0 ? new torch.Embedding(labels + 1, width) : null
    this.weight_embedding = settings.learn_initial_query ? new torch.Embedding(settings.num_queries, width) : null
    this.enc_output = new torch.Sequential(new torch.Linear(width, width), new torch.LayerNorm(width, { eps }))
    this.enc_score_head = new torch.Linear(width, labels)
    this.enc_bbox_head = new Mlp(width, width, width, 4)
    const { decoder_in_channels: widths, num_feature_levels: levels } = settings
    this.decoder_input_proj = Array.from({ length: levels }, (_, i) =>
      i < widths.length
        ? projection(widths[i], width, batchEps)
        : projection(i === widths.length ? widths[i - 1] : width, width, batchEps, true),
    )
    this.decoder = new Decoder(settings)
  }

  run(inputs: ModelInputs): Decoded & { readonly output: BaseModelOutput } {
    const { num_queries: count, d_model: width } = this.config
    const projected = this.backbone.forward(inputs).map((map, i) => this.encoder_input_proj[i].forward(map))
    const seen = new Recorder(this.config, inputs)
    const maps = this.encoder.forward(projected, seen)
    const sources = this.decoder_input_proj.map((map, i) => map.forward(maps[Math.min(i, maps.length - 1)]))
    const sizes = sources.map(({ shape }) => [shape[2], shape[3]])
    const memory = cat(sources.map(flattenGrid), 1)
    const { boxes, valid } = anchors(sizes)
    const states = this.enc_output.forward(mul(memory, valid))
    const scores = this.enc_score_head.forward(states)
    const places = add(this.enc_bbox_head.forward(states), boxes)
    const batch = memory.shape[0]
    const best = topK(scores.amax(-1), count, 1).indices
    const chosen = (x: Tensor): Tensor =>
      gather(x, 1, expand(reshape(best, [batch, count, 1]), [batch, count, x.shape[2]]))
    const learned = this.weight_embedding
    const queries = learned
      ? expand(learned.weight.value.unsqueeze(0), [batch, count, width])
      : stopGradient(chosen(states))
    const own = new Recorder(this.config, inputs, true)
    const found = this.decoder.forward(queries, stopGradient(chosen(places)), { memory, sizes, recorder: own })
    const encoded = { ...encoderFields(found.states, seen), encoder_last_hidden_state: maps }
    return { ...found, output: { last_hidden_state: found.states, ...encoded, ...decoderFields(own) } }
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    return this.run(inputs).output
  }
}

/** Classes [B, Q, L] as logits of one class each, and boxes [B, Q, 4]. */
export class RTDetrV2ForObjectDetection extends Headed<RTDetrV2Config, RTDetrV2Model> {
  static override readonly family: Family = family

  constructor(settings: RTDetrV2Config) {
    super(settings, new RTDetrV2Model(settings))
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    if (inputs.labels) throw new TypeError('RT-DETRv2 has no loss here: leave out labels')
    const { logits, boxes, output } = this.base.run(inputs)
    return { logits, pred_boxes: boxes, ...output }
  }
}

export default defineModels({ config, classes: { RTDetrV2Model, RTDetrV2ForObjectDetection } })
