/** ESM-1b and ESM-2 (Rives et al. 2021, Lin et al. 2023): encoders of proteins, and of nucleotides with other vocabularies. */
import { Module, torch } from '../nn/index.js'
import type { RotaryTables } from '../tensor/functional/index.js'
import {
  add,
  asTensor,
  div,
  eq,
  gelu,
  mul,
  ne,
  sigmoid,
  stack,
  sub,
  sum,
  type Tensor,
  type TensorLike,
  transpose,
  unsqueeze,
  where,
} from '../tensor/index.js'
import { attend, splitHeads } from './blocks/attention.js'
import { BertPooler } from './blocks/bert-layers.js'
import { checkLength, embed, positionsFrom, positionsFromIds, tokenVectors } from './blocks/embeddings.js'
import {
  type ClassifierOptions,
  EncoderModel,
  FirstTokenClassifier,
  MaskedLanguageModel,
  TokenClassifier,
} from './blocks/heads.js'
import { both, causalMask, keyMask, type Mask } from './blocks/masks.js'
import { Recorder } from './blocks/outputs.js'
import { ropeTables, rotate } from './blocks/rope.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'esm',
  defaults: {
    vocab_size: 33,
    mask_token_id: null as number | null,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    max_position_embeddings: 1026,
    rope_theta: 10000,
    initializer_range: 0.02,
    layer_norm_eps: 1e-12,
    position_embedding_type: 'absolute',
    emb_layer_norm_before: null as boolean | null,
    token_dropout: false,
    is_decoder: false,
    add_cross_attention: false,
    is_folding_model: false,
    eos_token_id: 2 as number | readonly number[] | null,
  },
})
export type EsmConfig = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'esm',
  optional: /(^|\.)(pooler|contact_head)\./,
  ignored: /(^|\.)position_embeddings\.weight$/,
}

const norm = (settings: EsmConfig): torch.LayerNorm =>
  new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })

/** Share of tokens that were masked in training: 15 % chosen, 80 % of those replaced by the mask. */
const MASKED_IN_TRAINING = 0.15 * 0.8

class Embeddings extends Module {
  readonly word_embeddings: torch.Embedding
  readonly layer_norm: torch.LayerNorm | null
  readonly position_embeddings: torch.Embedding | null

  constructor(private readonly settings: EsmConfig) {
    super()
    const { hidden_size: width, max_position_embeddings: positions } = settings
    const paddingIdx = settings.pad_token_id ?? undefined
    this.word_embeddings = new torch.Embedding(settings.vocab_size, width, { paddingIdx })
    this.layer_norm = settings.emb_layer_norm_before ? norm(settings) : null
    const placed = settings.position_embedding_type === 'absolute'
    this.position_embeddings = placed ? new torch.Embedding(positions, width, { paddingIdx }) : null
  }

  forward(inputs: ModelInputs): Tensor {
    const { input_ids: ids, attention_mask: mask } = inputs
    let x = tokenVectors(this.word_embeddings, inputs)
    if (this.settings.token_dropout && ids !== null && ids !== undefined) x = this.rescaled(x, ids, mask)
    if (this.position_embeddings)
      x = add(x, embed(this.position_embeddings, inputs.position_ids ?? this.places(ids, x.shape[1])))
    if (this.layer_norm) x = this.layer_norm.forward(x)
    return mask === null || mask === undefined ? x : mul(x, unsqueeze(asTensor(mask).to(x.dtype), -1))
  }

  private places(ids: ModelInputs['input_ids'], tokens: number): Tensor {
    const padding = this.settings.pad_token_id ?? 0
    checkLength(tokens, this.settings.max_position_embeddings - padding - 1)
    return ids === null || ids === undefined ? positionsFrom(tokens, padding + 1) : positionsFromIds(ids, padding)
  }

  /** Mask tokens become zero, and the others are scaled as dropout would have scaled them in training. */
  private rescaled(x: Tensor, ids: TensorLike, mask: ModelInputs['attention_mask']): Tensor {
    const masked = eq(asTensor(ids), this.settings.mask_token_id ?? -1)
    const tokens = mask === null || mask === undefined ? x.shape[1] : sum(asTensor(mask).to(x.dtype), -1)
    const share = div(sum(masked.to(x.dtype), -1), tokens)
    const scale = div(1 - MASKED_IN_TRAINING, sub(1, share))
    return mul(where(unsqueeze(masked, -1), 0, x), unsqueeze(unsqueeze(scale, -1), -1))
  }
}

interface Shared {
  readonly mask: Mask
  readonly tables: RotaryTables | null
  readonly recorder: Recorder
}

class SelfAttention extends Module {
  readonly query: torch.Linear
  readonly key: torch.Linear
  readonly value: torch.Linear

  constructor(private readonly settings: EsmConfig) {
    super()
    const { hidden_size: width, num_attention_heads: heads } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.query = new torch.Linear(width, width)
    this.key = new torch.Linear(width, width)
    this.value = new torch.Linear(width, width)
  }

  forward(x: Tensor, { mask, tables, recorder }: Shared): Tensor {
    const parts = [this.query, this.key, this.value].map((map) =>
      splitHeads(map.forward(x), this.settings.num_attention_heads),
    )
    const [q, k] = tables ? rotate(tables, false, parts[0], parts[1]) : parts
    const dropout = this.training ? this.settings.attention_probs_dropout_prob : 0
    const { output, weights } = attend(q, k, parts[2], { mask, dropout, weights: recorder.wantsAttentions })
    recorder.attention(weights)
    return output
  }
}

/** Dense, dropout and the sum with what went in. */
class Output extends Module {
  readonly dense: torch.Linear
  readonly dropout: torch.Dropout

  constructor(from: number, settings: EsmConfig) {
    super()
    this.dense = new torch.Linear(from, settings.hidden_size)
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return add(this.dropout.forward(this.dense.forward(x)), residual)
  }
}

class Attention extends Module {
  readonly self: SelfAttention
  readonly output: Output
  readonly LayerNorm: torch.LayerNorm

  constructor(settings: EsmConfig) {
    super()
    this.self = new SelfAttention(settings)
    this.output = new Output(settings.hidden_size, settings)
    this.LayerNorm = norm(settings)
  }

  forward(x: Tensor, shared: Shared): Tensor {
    return this.output.forward(this.self.forward(this.LayerNorm.forward(x), shared), x)
  }
}

class Dense extends Module {
  readonly dense: torch.Linear

  constructor(from: number, to: number) {
    super()
    this.dense = new torch.Linear(from, to)
  }
}

class Layer extends Module {
  readonly attention: Attention
  readonly intermediate: Dense
  readonly output: Output
  readonly LayerNorm: torch.LayerNorm

  constructor(settings: EsmConfig) {
    super()
    this.attention = new Attention(settings)
    this.intermediate = new Dense(settings.hidden_size, settings.intermediate_size)
    this.output = new Output(settings.intermediate_size, settings)
    this.LayerNorm = norm(settings)
  }

  forward(x: Tensor, shared: Shared): Tensor {
    const attended = this.attention.forward(x, shared)
    const inner = gelu(this.intermediate.dense.forward(this.LayerNorm.forward(attended)))
    return this.output.forward(inner, attended)
  }
}

class Encoder extends Module {
  readonly layer: readonly Layer[]
  readonly emb_layer_norm_after: torch.LayerNorm

  constructor(settings: EsmConfig) {
    super()
    this.layer = Array.from({ length: settings.num_hidden_layers }, () => new Layer(settings))
    this.emb_layer_norm_after = norm(settings)
  }

  forward(x: Tensor, shared: Shared): Tensor {
    let states = x
    for (const layer of this.layer) {
      shared.recorder.state(states)
      states = layer.forward(states, shared)
    }
    states = this.emb_layer_norm_after.forward(states)
    shared.recorder.state(states)
    return states
  }
}

/** Average product correction of maps [..., T, T]. */
function productCorrected(x: Tensor): Tensor {
  const rows = sum(x, -1, { keepdim: true })
  const columns = sum(x, -2, { keepdim: true })
  return sub(x, div(mul(rows, columns), sum(x, [-1, -2], { keepdim: true })))
}

class ContactHead extends Module {
  readonly regression: torch.Linear

  constructor(settings: EsmConfig) {
    super()
    this.regression = new torch.Linear(settings.num_hidden_layers * settings.num_attention_heads, 1)
  }

  /** Probabilities of contact [B, T - 2, T - 2] from attentions [B, layers, heads, T, T], first and last token left out. */
  forward(ids: Tensor, attentions: Tensor, end: number): Tensor {
    const inner = ne(ids, end).to(attentions.dtype)
    const pairs = mul(unsqueeze(inner, 1), unsqueeze(inner, 2))
    const kept = mul(attentions, pairs.unsqueeze(1).unsqueeze(1))
    const [batch, layers, heads, tokens] = kept.shape
    const cut = kept.narrow(3, 1, tokens - 2).narrow(4, 1, tokens - 2)
    const maps = cut.reshape(batch, layers * heads, tokens - 2, tokens - 2)
    const features = productCorrected(add(maps, transpose(maps))).permute(0, 2, 3, 1)
    return sigmoid(this.regression.forward(features).squeeze(3))
  }
}

export class EsmModel extends EncoderModel<EsmConfig> {
  static override readonly family: Family = family
  readonly embeddings: Embeddings
  readonly encoder: Encoder
  readonly pooler: BertPooler | null
  readonly contact_head: ContactHead

  constructor(settings: EsmConfig, options: { pooler?: boolean } = {}) {
    super(settings)
    if (settings.add_cross_attention || settings.is_folding_model)
      throw new RangeError('ESM models with cross-attention or folding heads are not supported')
    this.embeddings = new Embeddings(settings)
    this.encoder = new Encoder(settings)
    this.pooler = (options.pooler ?? true) ? new BertPooler(settings) : null
    this.contact_head = new ContactHead(settings)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  private tables(inputs: ModelInputs, tokens: number): RotaryTables | null {
    const { position_embedding_type: type, hidden_size: width, num_attention_heads: heads, rope_theta } = this.config
    if (type !== 'rotary') return null
    const positions = asTensor(inputs.position_ids ?? positionsFrom(tokens))
    const maxPositions = this.config.max_position_embeddings
    return ropeTables(positions, { rope_type: 'default', rope_theta }, { headDim: width / heads, maxPositions, tokens })
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const { inputs_embeds: given } = inputs
    // Vectors that were given take the place of all that embeddings do.
    const x = given === null || given === undefined ? this.embeddings.forward(inputs) : asTensor(given)
    const tokens = x.shape[1]
    const causal = this.config.is_decoder ? causalMask(tokens, tokens, 0) : null
    const mask = both(keyMask(inputs.attention_mask), causal)
    const last_hidden_state = this.encoder.forward(x, { mask, tables: this.tables(inputs, tokens), recorder })
    const pooled = this.pooler ? { pooler_output: this.pooler.forward(last_hidden_state) } : {}
    return { last_hidden_state, ...pooled, ...recorder.outputs }
  }

  /** Probabilities that two residues touch, [B, T - 2, T - 2]. */
  predictContacts(ids: TensorLike, attentionMask: TensorLike): Tensor {
    const { attentions = [] } = this.forward({ input_ids: ids, attention_mask: attentionMask, output_attentions: true })
    const counts = asTensor(attentionMask).to('f32')
    const pairs = mul(unsqueeze(counts, 1), unsqueeze(counts, 2))
    const maps = mul(stack(attentions, 1), pairs.unsqueeze(1).unsqueeze(1))
    const end = this.config.eos_token_id
    return this.contact_head.forward(asTensor(ids), maps, typeof end === 'number' ? end : 2)
  }
}

const bare = (settings: EsmConfig): EsmModel => new EsmModel(settings, { pooler: false })

const classifierOptions = (settings: EsmConfig): ClassifierOptions => ({
  dropout: settings.hidden_dropout_prob,
  width: settings.hidden_size,
  labels: settings.num_labels,
})

export class EsmForMaskedLM extends MaskedLanguageModel<EsmConfig> {
  static override readonly family: Family = family
  constructor(settings: EsmConfig) {
    const { hidden_size: width, vocab_size: vocabSize, layer_norm_eps: eps } = settings
    super(settings, bare(settings), { width, vocabSize, eps, bias: 'added' })
  }
}

export class EsmForSequenceClassification extends FirstTokenClassifier<EsmConfig> {
  static override readonly family: Family = family
  constructor(settings: EsmConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export class EsmForTokenClassification extends TokenClassifier<EsmConfig> {
  static override readonly family: Family = family
  constructor(settings: EsmConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export default defineModels({
  config,
  classes: { EsmModel, EsmForMaskedLM, EsmForSequenceClassification, EsmForTokenClassification },
})
