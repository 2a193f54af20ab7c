/** Two towers, one of text and one of images, as in CLIP (Radford et al. 2021) and SigLIP (Zhai et al. 2023). */
import { Module, torch } from '../../nn/index.js'
import { add, asTensor, cat, Parameter, random, type Tensor, zeros } from '../../tensor/index.js'
import type { JsonObject } from '../pretrained/config.js'
import type { ModelInputs } from '../pretrained/io.js'
import type { Initialises } from '../pretrained/model.js'
import { type ActivationFn, activation } from './activations.js'
import { BartAttention } from './bart-layers.js'
import { checkLength, embed, positionsFrom } from './embeddings.js'
import type { Mask } from './masks.js'
import type { Recorder } from './outputs.js'
import { flattenGrid, imagesOf, placesForGrid } from './vision.js'

export interface TowerConfig {
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly hidden_act: string
  readonly layer_norm_eps: number
  readonly attention_dropout: number
}

export interface ImageTowerConfig extends TowerConfig {
  readonly num_channels: number
  readonly image_size: number
  readonly patch_size: number
}

export interface TextTowerConfig extends TowerConfig {
  readonly vocab_size: number
  readonly max_position_embeddings: number
}

/** The config of one tower out of a config for both; other configs pass. */
export const towerOf =
  (key: 'text_config' | 'vision_config', whole: string) =>
  (json: JsonObject): JsonObject => {
    const inner = json[key]
    if (json.model_type !== whole || typeof inner !== 'object' || inner === null || Array.isArray(inner)) return json
    return inner as JsonObject
  }

export class TowerMlp extends Module {
  readonly fc1: torch.Linear
  readonly fc2: torch.Linear
  readonly #act: ActivationFn

  constructor({ hidden_size: width, intermediate_size: inner, hidden_act: act }: TowerConfig) {
    super()
    this.fc1 = new torch.Linear(width, inner)
    this.fc2 = new torch.Linear(inner, width)
    this.#act = activation(act)
  }

  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.#act(this.fc1.forward(x)))
  }
}

class TowerLayer extends Module {
  readonly self_attn: BartAttention
  readonly layer_norm1: torch.LayerNorm
  readonly mlp: TowerMlp
  readonly layer_norm2: torch.LayerNorm

  constructor(settings: TowerConfig) {
    super()
    const { hidden_size: width, layer_norm_eps: eps } = settings
    this.self_attn = new BartAttention(width, settings.num_attention_heads, settings.attention_dropout)
    this.layer_norm1 = new torch.LayerNorm(width, { eps })
    this.mlp = new TowerMlp(settings)
    this.layer_norm2 = new torch.LayerNorm(width, { eps })
  }

  forward(x: Tensor, mask: Mask, recorder: Recorder): Tensor {
    const normed = this.layer_norm1.forward(x)
    const known = this.self_attn.keysValues(normed)
    const { output, weights } = this.self_attn.attend(normed, known, mask, recorder.wantsAttentions)
    recorder.attention(weights)
    const attended = add(x, output)
    return add(attended, this.mlp.forward(this.layer_norm2.forward(attended)))
  }
}

export class TowerEncoder extends Module {
  readonly layers: readonly TowerLayer[]

  constructor(settings: TowerConfig) {
    super()
    this.layers = Array.from({ length: settings.num_hidden_layers }, () => new TowerLayer(settings))
  }

  forward(embedded: Tensor, mask: Mask, recorder: Recorder): Tensor {
    let x = embedded
    for (const layer of this.layers) {
      recorder.state(x)
      x = layer.forward(x, mask, recorder)
    }
    recorder.state(x)
    return x
  }
}

/** Words and their places [B, T, H]. */
export class TowerTextEmbeddings extends Module {
  readonly token_embedding: torch.Embedding
  readonly position_embedding: torch.Embedding

  constructor({ vocab_size: tokens, max_position_embeddings: places, hidden_size: width }: TextTowerConfig) {
    super()
    this.token_embedding = new torch.Embedding(tokens, width)
    this.position_embedding = new torch.Embedding(places, width)
  }

  forward({ input_ids: ids, position_ids: given }: ModelInputs): Tensor {
    if (ids === null || ids === undefined) throw new TypeError('this model needs input_ids')
    const words = embed(this.token_embedding, ids)
    checkLength(words.shape[1], this.position_embedding.weight.shape[0])
    const places = embed(this.position_embedding, given ?? positionsFrom(words.shape[1]))
    return add(words, places)
  }
}

/** Patches and their places, after a class vector where there is one: [B, (1 +) P, H]. */
export class TowerPatchEmbeddings extends Module implements Initialises {
  readonly class_embedding: Parameter | null
  readonly patch_embedding: torch.Conv2d
  readonly position_embedding: torch.Embedding

  constructor(
    private readonly settings: ImageTowerConfig,
    options: { readonly classVector: boolean },
  ) {
    super()
    const { hidden_size: width, num_channels: channels, image_size: side, patch_size: patch } = settings
    const lead = options.classVector ? 1 : 0
    this.class_embedding = options.classVector ? new Parameter(zeros([width])) : null
    this.patch_embedding = new torch.Conv2d(channels, width, patch, { stride: patch, bias: !options.classVector })
    this.position_embedding = new torch.Embedding(Math.trunc(side / patch) ** 2 + lead, width)
  }

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const vector = this.class_embedding
    const std = this.settings.hidden_size ** -0.5
    if (vector && wants(vector)) vector.cell.settle(random.normal(vector.shape, { std }).value)
  }

  forward(inputs: ModelInputs): Tensor {
    const { image_size: side, patch_size: patch, num_channels: channels } = this.settings
    const images = imagesOf(inputs, channels)
    const [batch, , height, across] = images.shape
    const moves = inputs.interpolate_pos_encoding ?? false
    if (!moves && (height !== side || across !== side))
      throw new RangeError(
        `images must be ${side} x ${side}, got ${height} x ${across}; interpolate_pos_encoding takes other sizes`,
      )
    const patches = flattenGrid(this.patch_embedding.forward(images))
    const width = patches.shape[2]
    const lead = this.class_embedding ? 1 : 0
    const first = this.class_embedding ? [this.class_embedding.value.to(patches.dtype).expand(batch, 1, width)] : []
    const stored = asTensor(this.position_embedding.weight).to(patches.dtype).unsqueeze(0)
    const [rows, columns] = [Math.trunc(height / patch), Math.trunc(across / patch)]
    const places = moves ? placesForGrid(stored, lead, rows, columns) : stored
    return add(lead ? cat([...first, patches], 1) : patches, places)
  }
}
