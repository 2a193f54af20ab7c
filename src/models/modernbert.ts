/** ModernBERT (Warner et al. 2024): pre-norm layers, rotary places, every few layers global attention and local elsewhere. */
import { Module, torch } from '../nn/index.js'
import type { RotaryTables } from '../tensor/functional/index.js'
import { add, asTensor, div, mul, type Parameter, reshape, sum, type Tensor, unsqueeze } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { attendSeeing, splitHeads } from './blocks/attention.js'
import { flattenChoices, positionsFrom, tokenVectors } from './blocks/embeddings.js'
import { EncoderModel, Headed, scoredStates } from './blocks/heads.js'
import { classLoss, tokenLoss } from './blocks/losses.js'
import { both, keyMask, localMask, type Mask } from './blocks/masks.js'
import { lossOf, passed, Recorder, spanOutput } from './blocks/outputs.js'
import { type RopeParameters, ropeByLayer, ropeTables, rotate } from './blocks/rope.js'
import { type ConfigOf, defineConfig, type JsonObject } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

/** Bases of the rotation by kind of layer, and the fields of older configs that hold them. */
const BASES = {
  full_attention: ['global_rope_theta', 160_000],
  sliding_attention: ['local_rope_theta', 10_000],
} as const

const config = defineConfig({
  model_type: 'modernbert',
  defaults: {
    vocab_size: 50368,
    hidden_size: 768,
    intermediate_size: 1152,
    num_hidden_layers: 22,
    num_attention_heads: 12,
    hidden_activation: 'gelu',
    max_position_embeddings: 8192,
    initializer_range: 0.02,
    norm_eps: 1e-5,
    norm_bias: false,
    pad_token_id: 50283 as number | null,
    eos_token_id: 50282 as number | readonly number[] | null,
    bos_token_id: 50281 as number | null,
    attention_bias: false,
    attention_dropout: 0,
    layer_types: null as readonly string[] | null,
    rope_parameters: null as JsonObject | null,
    local_attention: 128,
    embedding_dropout: 0,
    mlp_bias: false,
    mlp_dropout: 0,
    decoder_bias: true,
    classifier_pooling: 'cls',
    classifier_dropout: 0,
    classifier_bias: false,
    classifier_activation: 'gelu',
  },
  upgrade: (json: JsonObject): JsonObject => {
    const every = typeof json.global_attn_every_n_layers === 'number' ? json.global_attn_every_n_layers : 3
    const layers = typeof json.num_hidden_layers === 'number' ? json.num_hidden_layers : 22
    const types = Array.from({ length: Math.min(layers, 4096) }, (_, i) =>
      i % every ? 'sliding_attention' : 'full_attention',
    )
    return {
      ...json,
      layer_types: json.layer_types ?? types,
      rope_parameters: ropeByLayer(json, BASES, Object.keys(BASES)),
    }
  },
})
export type ModernBertConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

const norm = (settings: ModernBertConfig): torch.LayerNorm =>
  new torch.LayerNorm(settings.hidden_size, { eps: settings.norm_eps, bias: settings.norm_bias })

class Embeddings extends Module {
  readonly tok_embeddings: torch.Embedding
  readonly norm: torch.LayerNorm
  readonly drop: torch.Dropout

  constructor(settings: ModernBertConfig) {
    super()
    const paddingIdx = settings.pad_token_id ?? undefined
    this.tok_embeddings = new torch.Embedding(settings.vocab_size, settings.hidden_size, { paddingIdx })
    this.norm = norm(settings)
    this.drop = new torch.Dropout(settings.embedding_dropout)
  }

  forward(inputs: ModelInputs): Tensor {
    return this.drop.forward(this.norm.forward(tokenVectors(this.tok_embeddings, inputs)))
  }
}

class Attention extends Module {
  readonly Wqkv: torch.Linear
  readonly Wo: torch.Linear
  readonly out_drop: torch.Dropout

  constructor(private readonly settings: ModernBertConfig) {
    super()
    const { hidden_size: width, num_attention_heads: heads, attention_bias: bias } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.Wqkv = new torch.Linear(width, 3 * width, { bias })
    this.Wo = new torch.Linear(width, width, { bias })
    this.out_drop = new torch.Dropout(settings.attention_dropout)
  }

  forward(x: Tensor, mask: Mask, tables: RotaryTables, recorder: Recorder): Tensor {
    const parts = this.Wqkv.forward(x)
      .chunk(3, -1)
      .map((part) => splitHeads(part, this.settings.num_attention_heads))
    const [q, k] = rotate(tables, false, parts[0], parts[1])
    const dropout = this.training ? this.settings.attention_dropout : 0
    const { output, weights } = attendSeeing(q, k, parts[2], { mask, dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return this.out_drop.forward(this.Wo.forward(output))
  }
}

class Mlp extends Module {
  readonly Wi: torch.Linear
  readonly Wo: torch.Linear
  readonly drop: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: ModernBertConfig) {
    super()
    const { hidden_size: width, intermediate_size: inner, mlp_bias: bias } = settings
    this.Wi = new torch.Linear(width, 2 * inner, { bias })
    this.Wo = new torch.Linear(inner, width, { bias })
    this.drop = new torch.Dropout(settings.mlp_dropout)
    this.#act = activation(settings.hidden_activation)
  }

  forward(x: Tensor): Tensor {
    const [input, gate] = this.Wi.forward(x).chunk(2, -1)
    return this.Wo.forward(this.drop.forward(mul(this.#act(input), gate)))
  }
}

class Layer extends Module {
  readonly attn_norm: torch.LayerNorm | null
  readonly attn: Attention
  readonly mlp_norm: torch.LayerNorm
  readonly mlp: Mlp

  constructor(
    settings: ModernBertConfig,
    readonly index: number,
  ) {
    super()
    this.attn_norm = index === 0 ? null : norm(settings)
    this.attn = new Attention(settings)
    this.mlp_norm = norm(settings)
    this.mlp = new Mlp(settings)
  }

  forward(x: Tensor, mask: Mask, tables: RotaryTables, recorder: Recorder): Tensor {
    const attended = add(x, this.attn.forward(this.attn_norm ? this.attn_norm.forward(x) : x, mask, tables, recorder))
    return add(attended, this.mlp.forward(this.mlp_norm.forward(attended)))
  }
}

export class ModernBertModel extends EncoderModel<ModernBertConfig> {
  static override readonly family: Family = family
  readonly embeddings: Embeddings
  readonly layers: readonly Layer[]
  readonly final_norm: torch.LayerNorm

  constructor(settings: ModernBertConfig) {
    super(settings)
    this.embeddings = new Embeddings(settings)
    this.layers = Array.from({ length: settings.num_hidden_layers }, (_, i) => new Layer(settings, i))
    this.final_norm = norm(settings)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.tok_embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const { hidden_size: width, num_attention_heads: heads, max_position_embeddings: maxPositions } = this.config
    const recorder = new Recorder(this.config, inputs)
    let x = this.embeddings.forward(inputs)
    const tokens = x.shape[1]
    const positions = asTensor(inputs.position_ids ?? positionsFrom(tokens))
    const full = keyMask(inputs.attention_mask)
    const rope = this.config.rope_parameters as unknown as Readonly<Record<string, RopeParameters>>
    const tables = (type: string): RotaryTables =>
      ropeTables(positions, rope[type], { headDim: width / heads, maxPositions, tokens })
    const shared: Readonly<Record<string, { mask: Mask; tables: RotaryTables }>> = {
      full_attention: { mask: full, tables: tables('full_attention') },
      sliding_attention: {
        mask: both(full, localMask(tokens, Math.trunc(this.config.local_attention / 2))),
        tables: tables('sliding_attention'),
      },
    }
    for (const layer of this.layers) {
      const kind = shared[this.config.layer_types?.[layer.index] ?? 'full_attention']
      recorder.state(x)
      x = layer.forward(x, kind.mask, kind.tables, recorder)
    }
    x = this.final_norm.forward(x)
    recorder.state(x)
    return { last_hidden_state: x, ...recorder.outputs }
  }
}

class PredictionHead extends Module {
  readonly dense: torch.Linear
  readonly norm: torch.LayerNorm
  readonly #act: ActivationFn

  constructor(settings: ModernBertConfig) {
    super()
    const { hidden_size: width, classifier_bias: bias } = settings
    this.dense = new torch.Linear(width, width, { bias })
    this.norm = norm(settings)
    this.#act = activation(settings.classifier_activation)
  }

  forward(states: Tensor): Tensor {
    return this.norm.forward(this.#act(this.dense.forward(states)))
  }
}

/** Scores over the vocabulary [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class ModernBertForMaskedLM extends Headed<ModernBertConfig> {
  static override readonly family: Family = family
  readonly head: PredictionHead
  readonly decoder: torch.Linear

  constructor(settings: ModernBertConfig) {
    super(settings, new ModernBertModel(settings))
    this.head = new PredictionHead(settings)
    const weight = settings.tie_word_embeddings ? this.base.inputEmbeddings()?.weight : undefined
    this.decoder = new torch.Linear(settings.hidden_size, settings.vocab_size, { bias: settings.decoder_bias, weight })
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { weight, bias } = this.decoder
    return bias ? [weight, bias] : [weight]
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.decoder.forward(this.head.forward(scoredStates(base, inputs)))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** The prediction head, dropout and a linear `classifier`. */
abstract class Classifier extends Headed<ModernBertConfig> {
  static override readonly family: Family = family
  readonly head: PredictionHead
  readonly drop: torch.Dropout
  readonly classifier: torch.Linear

  constructor(settings: ModernBertConfig, labels = settings.num_labels) {
    super(settings, new ModernBertModel(settings))
    this.head = new PredictionHead(settings)
    this.drop = new torch.Dropout(settings.classifier_dropout)
    this.classifier = new torch.Linear(settings.hidden_size, labels)
  }

  protected scores(states: Tensor): Tensor {
    return this.classifier.forward(this.drop.forward(this.head.forward(states)))
  }

  /** One state a text [B, H]: the first token's, or the mean of those that count. */
  protected text(states: Tensor, mask: ModelInputs['attention_mask']): Tensor {
    if (this.config.classifier_pooling === 'cls') return states.select(1, 0)
    if (mask === null || mask === undefined) return states.mean(1)
    const counts = unsqueeze(asTensor(mask).to(states.dtype), 2)
    return div(sum(mul(states, counts), 1), sum(counts, 1))
  }
}

export class ModernBertForSequenceClassification extends Classifier {
  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.scores(this.text(base.last_hidden_state, inputs.attention_mask))
    return { ...lossOf(inputs.labels, (labels) => classLoss(this.config, logits, labels)), logits, ...passed(base) }
  }
}

export class ModernBertForTokenClassification extends Classifier {
  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.scores(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

export class ModernBertForQuestionAnswering extends Classifier {
  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(inputs)
    return spanOutput(this.scores(base.last_hidden_state), inputs, base)
  }
}

export class ModernBertForMultipleChoice extends Classifier {
  constructor(settings: ModernBertConfig) {
    super(settings, 1)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { choices, flat } = flattenChoices(inputs)
    const base = this.base.forward(flat)
    const logits = reshape(this.scores(this.text(base.last_hidden_state, flat.attention_mask)), [-1, choices])
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

export default defineModels({
  config,
  classes: {
    ModernBertModel,
    ModernBertForMaskedLM,
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
    ModernBertForQuestionAnswering,
    ModernBertForMultipleChoice,
  },
})
