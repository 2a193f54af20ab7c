/** Qwen2-VL (Wang et al. 2024): images and videos among text. Shapes: N patches, B batch, T tokens, E features of a patch, H of a token. */
import { Module, torch } from '../nn/index.js'
import { applyRotary, rotaryTables } from '../tensor/functional/index.js'
import {
  add,
  asTensor,
  cat,
  eq,
  gelu,
  matmul,
  ne,
  Parameter,
  permute,
  random,
  reshape,
  type Tensor,
  type TensorLike,
  transpose,
  zeros,
} from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { attend } from './blocks/attention.js'
import { CausalLanguageModel } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { tokenVectors } from './blocks/embeddings.js'
import { gridPositions, patchPlaces, placed } from './blocks/grids.js'
import { EncoderModel } from './blocks/heads.js'
import { slidingWindow } from './blocks/layer-types.js'
import type { Mask } from './blocks/masks.js'
import { readRope } from './blocks/rope.js'
import { llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig, type JsonObject, parseConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, ModelInputs } from './pretrained/io.js'
import type { Family, Initialises } from './pretrained/model.js'

const textConfig = defineConfig({
  model_type: 'qwen2_vl_text',
  defaults: {
    ...llamaDefaults,
    vocab_size: 152064,
    hidden_size: 8192,
    intermediate_size: 29568,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: 8 as number | null,
    max_position_embeddings: 32768,
    rms_norm_eps: 1e-5,
    bos_token_id: 151643 as number | null,
    eos_token_id: 151645 as number | readonly number[] | null,
    use_sliding_window: false,
    sliding_window: 4096 as number | null,
    max_window_layers: 80,
    layer_types: null as readonly string[] | null,
  },
  upgrade: (json) => {
    const rope = readRope(json, { theta: 1_000_000 })
    return { ...json, rope_parameters: { ...rope, rope_type: rope.rope_type === 'mrope' ? 'default' : rope.rope_type } }
  },
})
type TextConfig = ConfigOf<typeof textConfig>

const visionConfig = defineConfig({
  model_type: 'qwen2_vl_vision',
  defaults: {
    depth: 32,
    embed_dim: 1280,
    hidden_size: 3584,
    hidden_act: 'quick_gelu',
    mlp_ratio: 4,
    num_heads: 16,
    in_channels: 3,
    patch_size: 14,
    spatial_merge_size: 2,
    temporal_patch_size: 2,
    initializer_range: 0.02,
    rope_parameters: null as JsonObject | null,
  },
  aliases: { in_chans: 'in_channels' },
})
type VisionConfig = ConfigOf<typeof visionConfig>

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const config = defineConfig({
  model_type: 'qwen2_vl',
  defaults: {
    text_config: {} as JsonObject,
    vision_config: {} as JsonObject,
    image_token_id: 151655,
    video_token_id: 151656,
    vision_start_token_id: 151652,
    vision_end_token_id: 151653,
    tie_word_embeddings: false,
  },
  /** Older files hold the text's fields at the top. */
  upgrade: (json) => {
    const { vision_config: vision, ...flat } = json
    const text = isObject(json.text_config) ? json.text_config : flat
    const tied = json.tie_word_embeddings || text.tie_word_embeddings || false
    return { ...json, text_config: text, vision_config: isObject(vision) ? vision : {}, tie_word_embeddings: tied }
  },
})
export type Qwen2VLConfig = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'model',
  keys: [
    { rename: /^visual\./, to: 'model.visual.', back: [/^model\.visual\./, 'visual.'] },
    {
      rename: /^model\.(embed_tokens|layers|norm)\./,
      to: 'model.language_model.$1.',
      back: [/^model\.language_model\./, 'model.'],
    },
  ],
}

/** Flattened patches [N, channels * frames * side * side] as vectors [N, E]. */
class PatchProjection extends Module implements Initialises {
  readonly weight: Parameter

  constructor(settings: VisionConfig) {
    super()
    const { embed_dim: width, in_channels: channels, temporal_patch_size: frames, patch_size: side } = settings
    this.weight = new Parameter(zeros([width, channels, frames, side, side]))
  }

  initParameters(std: number, wants: (parameter: Parameter) => boolean): void {
    if (wants(this.weight)) this.weight.cell.settle(random.normal(this.weight.shape, { std }).value)
  }

  forward(patches: Tensor): Tensor {
    const width = this.weight.shape.slice(1).reduce((product, extent) => product * extent, 1)
    const rows = reshape(patches, [-1, width])
    return matmul(rows, transpose(reshape(this.weight, [this.weight.shape[0], width])))
  }
}

class PatchEmbed extends Module {
  readonly proj: PatchProjection

  constructor(settings: VisionConfig) {
    super()
    this.proj = new PatchProjection(settings)
  }
}

interface Places {
  readonly tables: { readonly cos: Tensor; readonly sin: Tensor }
  readonly mask: Mask
}

class VisionAttention extends Module {
  readonly qkv: torch.Linear
  readonly proj: torch.Linear

  constructor(
    width: number,
    private readonly heads: number,
  ) {
    super()
    if (width % heads !== 0) throw new RangeError(`embed_dim ${width} does not divide into ${heads} heads`)
    this.qkv = new torch.Linear(width, 3 * width)
    this.proj = new torch.Linear(width, width)
  }

  forward(x: Tensor, { tables, mask }: Places): Tensor {
    const parts = reshape(this.qkv.forward(x), [x.shape[0], 3, this.heads, -1])
    const [q, k, v] = [0, 1, 2].map((i) => permute(parts.select(1, i), [1, 0, 2]).unsqueeze(0))
    const { output } = attend(applyRotary(q, tables), applyRotary(k, tables), v, { mask })
    return this.proj.forward(output.squeeze(0))
  }
}

class VisionMlp extends Module {
  readonly fc1: torch.Linear
  readonly fc2: torch.Linear
  readonly #act: ActivationFn

  constructor({ embed_dim: width, mlp_ratio: ratio, hidden_act: act }: VisionConfig) {
    super()
    this.fc1 = new torch.Linear(width, Math.trunc(width * ratio))
    this.fc2 = new torch.Linear(Math.trunc(width * ratio), width)
    this.#act = activation(act)
  }

  forward(x: Tensor): Tensor {
    return this.fc2.forward(this.#act(this.fc1.forward(x)))
  }
}

const EPS = 1e-6

class VisionBlock extends Module {
  readonly norm1: torch.LayerNorm
  readonly norm2: torch.LayerNorm
  readonly attn: VisionAttention
  readonly mlp: VisionMlp

  constructor(settings: VisionConfig) {
    super()
    const { embed_dim: width, num_heads: heads } = settings
    this.norm1 = new torch.LayerNorm(width, { eps: EPS })
    this.norm2 = new torch.LayerNorm(width, { eps: EPS })
    this.attn = new VisionAttention(width, heads)
    this.mlp = new VisionMlp(settings)
  }

  forward(x: Tensor, places: Places): Tensor {
    const attended = add(x, this.attn.forward(this.norm1.forward(x), places))
    return add(attended, this.mlp.forward(this.norm2.forward(attended)))
  }
}

/** Blocks of patches as one token each. */
class PatchMerger extends Module {
  readonly ln_q: torch.LayerNorm
  readonly mlp: torch.Sequential
  readonly #inner: number

  constructor({ embed_dim: width, hidden_size: out, spatial_merge_size: merge }: VisionConfig) {
    super()
    this.#inner = width * merge ** 2
    this.ln_q = new torch.LayerNorm(width, { eps: EPS })
    this.mlp = new torch.Sequential(
      new torch.Linear(this.#inner, this.#inner),
      new Gelu(),
      new torch.Linear(this.#inner, out),
    )
  }

  forward(x: Tensor): Tensor {
    return this.mlp.forward(reshape(this.ln_q.forward(x), [-1, this.#inner]))
  }
}

class Gelu extends Module {
  forward(x: Tensor): Tensor {
    return gelu(x)
  }
}

class VisionTower extends Module {
  readonly patch_embed: PatchEmbed
  readonly blocks: readonly VisionBlock[]
  readonly merger: PatchMerger

  constructor(private readonly settings: VisionConfig) {
    super()
    this.patch_embed = new PatchEmbed(settings)
    this.blocks = Array.from({ length: settings.depth }, () => new VisionBlock(settings))
    this.merger = new PatchMerger(settings)
  }

  /** Flattened patches of all images, `grid` i32 [I, 3]: vectors of tokens [N / merge^2, H]. */
  forward(patches: Tensor, grid: Tensor): Tensor {
    let x = this.patch_embed.proj.forward(patches)
    const { embed_dim: width, num_heads: heads, spatial_merge_size: merge, rope_parameters: rope } = this.settings
    const count = x.shape[0]
    const { row, column, frame } = patchPlaces(grid, count, merge)
    const half = width / heads / 2
    const theta = typeof rope?.rope_theta === 'number' ? rope.rope_theta : 10000
    const [high, wide] = [row, column].map((place) => rotaryTables(place, half, { theta }))
    const tables = { cos: cat([high.cos, wide.cos], -1), sin: cat([high.sin, wide.sin], -1) }
    // Patches see their own frame.
    const mask = reshape(eq(reshape(frame, [count, 1]), reshape(frame, [1, count])), [1, 1, count, count])
    for (const block of this.blocks) x = block.forward(x, { tables, mask })
    return this.merger.forward(x)
  }
}

/** The decoder of the text. */
class TextModel extends DecoderModel<TextConfig> {
  constructor(settings: TextConfig) {
    super(settings, { ...llamaTraits(settings), biases: { qkv: true }, window: slidingWindow(settings) })
  }
}

const given = (value: TensorLike | null | undefined): value is TensorLike => value !== null && value !== undefined

export class Qwen2VLModel extends EncoderModel<Qwen2VLConfig> {
  static override readonly family: Family = family
  readonly visual: VisionTower
  readonly language_model: TextModel
  readonly #merge: number

  constructor(settings: Qwen2VLConfig) {
    super(settings)
    const vision = parseConfig(visionConfig, settings.vision_config, 'vision_config')
    this.#merge = vision.spatial_merge_size
    this.visual = new VisionTower(vision)
    this.language_model = new TextModel(parseConfig(textConfig, settings.text_config, 'text_config'))
  }

  override inputEmbeddings(): torch.Embedding {
    return this.language_model.embed_tokens
  }

  private positions(inputs: ModelInputs, grids: ReadonlyMap<number, Tensor>): TensorLike | null {
    if (given(inputs.position_ids)) return inputs.position_ids
    if (grids.size === 0) return null
    if (!given(inputs.mm_token_type_ids)) throw new TypeError('images and videos need mm_token_type_ids')
    const kinds = asTensor(inputs.mm_token_type_ids).to('i32')
    const valid = given(inputs.attention_mask) ? ne(asTensor(inputs.attention_mask), 0) : ne(kinds, -1)
    return gridPositions({ kinds, valid, grids, merge: this.#merge })
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const { image_token_id: image, video_token_id: video } = this.config
    let vectors = tokenVectors(this.language_model.embed_tokens, inputs)
    const grids = new Map<number, Tensor>()
    const sources = [
      { kind: 1, token: image, patches: inputs.pixel_values, grid: inputs.image_grid_thw },
      { kind: 2, token: video, patches: inputs.pixel_values_videos, grid: inputs.video_grid_thw },
    ]
    for (const { kind, token, patches, grid } of sources) {
      if (given(grid)) grids.set(kind, asTensor(grid).to('i32'))
      if (!given(patches)) continue
      const sizes = grids.get(kind)
      if (!sizes) throw new TypeError('pixel_values need the grid of their patches (image_grid_thw, video_grid_thw)')
      if (!given(inputs.input_ids)) throw new TypeError('images and videos need input_ids to stand among')
      vectors = placed(vectors, eq(asTensor(inputs.input_ids), token), this.visual.forward(asTensor(patches), sizes))
    }
    const position_ids = this.positions(inputs, grids)
    const { input_ids: _ids, position_ids: _positions, ...rest } = inputs
    const places = position_ids ? { position_ids } : {}
    return this.language_model.forward({ ...rest, inputs_embeds: vectors, ...places })
  }
}

/** Scores of the token that follows [B, T, V]; `labels` [B, T] are shifted by one. */
export class Qwen2VLForConditionalGeneration extends CausalLanguageModel<Qwen2VLConfig> {
  static override readonly family: Family = family
  constructor(settings: Qwen2VLConfig) {
    const text = parseConfig(textConfig, settings.text_config, 'text_config')
    super(settings, new Qwen2VLModel(settings), { width: text.hidden_size, vocabSize: text.vocab_size })
  }
}

export default defineModels({ config, classes: { Qwen2VLModel, Qwen2VLForConditionalGeneration } })
