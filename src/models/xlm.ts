/** XLM (Lample & Conneau 2019), as an encoder. */
import { Module, torch } from '../nn/index.js'
import { dropout, softmax } from '../tensor/functional/index.js'
import {
  add,
  arange,
  asTensor,
  gelu,
  lt,
  matmul,
  mul,
  ne,
  type Parameter,
  relu,
  reshape,
  sum,
  type Tensor,
  transpose,
  unsqueeze,
  where,
} from '../tensor/index.js'
import { joinHeads, splitHeads } from './blocks/attention.js'
import { checkLength, embed, flattenChoices, positionsFrom, tokenVectors } from './blocks/embeddings.js'
import { EncoderModel, Headed, SequenceClassifier, SpanFinder, TokenClassifier } from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { causalMask, LOWEST } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { SequenceSummary } from './blocks/summary.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'xlm',
  defaults: {
    vocab_size: 30145,
    emb_dim: 2048,
    n_layers: 12,
    n_heads: 16,
    dropout: 0.1,
    attention_dropout: 0.1,
    gelu_activation: true,
    sinusoidal_embeddings: false,
    causal: false,
    asm: false,
    n_langs: 1,
    use_lang_emb: true,
    max_position_embeddings: 512,
    embed_init_std: 2048 ** -0.5,
    layer_norm_eps: 1e-12,
    init_std: 0.02,
    is_encoder: true,
    summary_type: 'first',
    summary_use_proj: true,
    summary_activation: null as string | null,
    summary_proj_to_labels: true,
    summary_first_dropout: 0.1,
    pad_token_id: 2 as number | null,
    bos_token_id: 0 as number | null,
    eos_token_id: 1 as number | readonly number[] | null,
  },
  aliases: {
    hidden_size: 'emb_dim',
    num_attention_heads: 'n_heads',
    num_hidden_layers: 'n_layers',
    n_words: 'vocab_size',
    bos_index: 'bos_token_id',
    eos_index: 'eos_token_id',
    pad_index: 'pad_token_id',
  },
})
export type XLMConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'transformer' }

class MultiHeadAttention extends Module {
  readonly q_lin: torch.Linear
  readonly k_lin: torch.Linear
  readonly v_lin: torch.Linear
  readonly out_lin: torch.Linear

  constructor(private readonly settings: XLMConfig) {
    super()
    const { emb_dim: width, n_heads: heads } = settings
    if (width % heads !== 0) throw new RangeError(`emb_dim ${width} does not divide into ${heads} heads`)
    this.q_lin = new torch.Linear(width, width)
    this.k_lin = new torch.Linear(width, width)
    this.v_lin = new torch.Linear(width, width)
    this.out_lin = new torch.Linear(width, width)
  }

  forward(x: Tensor, mask: Tensor, recorder: Recorder): Tensor {
    const [q, k, v] = [this.q_lin, this.k_lin, this.v_lin].map((map) =>
      splitHeads(map.forward(x), this.settings.n_heads),
    )
    const scores = matmul(mul(q, 1 / Math.sqrt(q.shape[3])), transpose(k))
    const weights = softmax(where(mask, scores, -LOWEST), -1)
    const kept = this.training ? dropout(weights, { p: this.settings.attention_dropout }) : weights
    if (recorder.wantsAttentions) recorder.attention(kept)
    return this.out_lin.forward(joinHeads(matmul(kept, v)))
  }
}

class FeedForward extends Module {
  readonly lin1: torch.Linear
  readonly lin2: torch.Linear
  readonly dropout: torch.Dropout
  readonly #act: (x: Tensor) => Tensor

  constructor({ emb_dim: width, dropout: p, gelu_activation: smooth }: XLMConfig) {
    super()
    this.lin1 = new torch.Linear(width, 4 * width)
    this.lin2 = new torch.Linear(4 * width, width)
    this.dropout = new torch.Dropout(p)
    this.#act = (x) => (smooth ? gelu(x) : relu(x))
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.lin2.forward(this.#act(this.lin1.forward(x))))
  }
}

const list = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)

export class XLMModel extends EncoderModel<XLMConfig> {
  static override readonly family: Family = family
  readonly position_embeddings: torch.Embedding
  readonly lang_embeddings: torch.Embedding | null
  readonly embeddings: torch.Embedding
  readonly layer_norm_emb: torch.LayerNorm
  readonly attentions: readonly MultiHeadAttention[]
  readonly layer_norm1: readonly torch.LayerNorm[]
  readonly ffns: readonly FeedForward[]
  readonly layer_norm2: readonly torch.LayerNorm[]
  readonly #dropout: torch.Dropout

  constructor(settings: XLMConfig) {
    super(settings)
    if (!settings.is_encoder) throw new RangeError('XLM models are encoders: is_encoder must be true')
    const { emb_dim: width, n_layers: layers } = settings
    const norm = (): torch.LayerNorm => new torch.LayerNorm(width, { eps: settings.layer_norm_eps })
    this.position_embeddings = new torch.Embedding(settings.max_position_embeddings, width)
    const several = settings.n_langs > 1 && settings.use_lang_emb
    this.lang_embeddings = several ? new torch.Embedding(settings.n_langs, width) : null
    const paddingIdx = settings.pad_token_id ?? undefined
    this.embeddings = new torch.Embedding(settings.vocab_size, width, { paddingIdx })
    this.layer_norm_emb = norm()
    this.attentions = list(layers, () => new MultiHeadAttention(settings))
    this.layer_norm1 = list(layers, norm)
    this.ffns = list(layers, () => new FeedForward(settings))
    this.layer_norm2 = list(layers, norm)
    this.#dropout = new torch.Dropout(settings.dropout)
  }

  protected override get initStd(): number {
    return this.config.init_std
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings
  }

  private dropped(x: Tensor): Tensor {
    this.#dropout.train(this.training)
    return this.#dropout.forward(x)
  }

  private embedded(inputs: ModelInputs): Tensor {
    const { langs, token_type_ids: types } = inputs
    let x = tokenVectors(this.embeddings, inputs)
    const tokens = x.shape[1]
    checkLength(tokens, this.position_embeddings.numEmbeddings)
    x = add(x, embed(this.position_embeddings, inputs.position_ids ?? positionsFrom(tokens)))
    if (langs !== null && langs !== undefined && this.lang_embeddings) x = add(x, embed(this.lang_embeddings, langs))
    if (types !== null && types !== undefined) x = add(x, embed(this.embeddings, types))
    return this.dropped(this.layer_norm_emb.forward(x))
  }

  /** bool [B, T]: tokens that count, from the mask, the lengths or the padding. */
  private counts({ attention_mask: mask, lengths, input_ids: ids }: ModelInputs, shape: readonly number[]): Tensor {
    if (mask !== null && mask !== undefined) return ne(asTensor(mask), 0)
    const places = arange(0, shape[1], 1, { dtype: 'i32' }).unsqueeze(0)
    const given = lengths ?? (ids === null || ids === undefined ? null : this.lengthsOf(asTensor(ids)))
    return lt(places, given === null ? shape[1] : unsqueeze(asTensor(given).to('i32'), 1))
  }

  private lengthsOf(ids: Tensor): Tensor {
    return sum(ne(ids, this.config.pad_token_id ?? -1).to('i32'), 1)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const embedded = this.embedded(inputs)
    const [batch, tokens] = embedded.shape
    const counts = this.counts(inputs, embedded.shape)
    const factors = unsqueeze(counts.to('f32'), -1)
    const keys = counts.shape[0] === batch ? counts : counts.expand(batch, tokens)
    const mask = this.config.causal ? causalMask(tokens, tokens, 0) : reshape(keys, [batch, 1, 1, tokens])
    let x = mul(embedded, factors)
    for (const [i, attention] of this.attentions.entries()) {
      recorder.state(x)
      x = this.layer_norm1[i].forward(add(x, this.dropped(attention.forward(x, mask, recorder))))
      x = mul(this.layer_norm2[i].forward(add(x, this.ffns[i].forward(x))), factors)
    }
    recorder.state(x)
    return { last_hidden_state: x, ...recorder.outputs }
  }
}

class PredictionLayer extends Module {
  readonly proj: torch.Linear

  constructor(settings: XLMConfig, words: Parameter | undefined) {
    super()
    if (settings.asm) throw new RangeError('XLM with an adaptive softmax (asm) is not supported')
    this.proj = new torch.Linear(settings.emb_dim, settings.vocab_size, { weight: words })
  }
}

/** Scores over the vocabulary [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class XLMWithLMHeadModel extends Headed<XLMConfig> {
  static override readonly family: Family = family
  readonly pred_layer: PredictionLayer

  constructor(settings: XLMConfig) {
    super(settings, new XLMModel(settings))
    const words = settings.tie_word_embeddings ? this.base.inputEmbeddings()?.weight : undefined
    this.pred_layer = new PredictionLayer(settings, words)
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { weight, bias } = this.pred_layer.proj
    return bias ? [weight, bias] : [weight]
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.pred_layer.proj.forward(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

export class XLMForSequenceClassification extends SequenceClassifier<XLMConfig> {
  static override readonly family: Family = family
  readonly sequence_summary: SequenceSummary

  constructor(settings: XLMConfig) {
    super(settings, new XLMModel(settings))
    this.sequence_summary = new SequenceSummary(settings, settings.emb_dim)
  }

  protected override scores({ last_hidden_state: states }: BaseModelOutput): Tensor {
    return this.sequence_summary.forward(states)
  }
}

export class XLMForTokenClassification extends TokenClassifier<XLMConfig> {
  static override readonly family: Family = family
  constructor(settings: XLMConfig) {
    const { dropout: p, emb_dim: width, num_labels: labels } = settings
    super(settings, new XLMModel(settings), { dropout: p, width, labels })
  }
}

export class XLMForQuestionAnsweringSimple extends SpanFinder<XLMConfig> {
  static override readonly family: Family = family
  constructor(settings: XLMConfig) {
    super(settings, new XLMModel(settings), settings.emb_dim)
  }
}

/** Scores of choices [B, C] from inputs [B, C, T]; `labels` [B]. */
export class XLMForMultipleChoice extends Headed<XLMConfig> {
  static override readonly family: Family = family
  readonly sequence_summary: SequenceSummary
  readonly logits_proj: torch.Linear

  constructor(settings: XLMConfig) {
    super(settings, new XLMModel(settings))
    this.sequence_summary = new SequenceSummary(settings, settings.emb_dim)
    this.logits_proj = new torch.Linear(settings.num_labels, 1)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { choices, flat } = flattenChoices(inputs)
    const base = this.base.forward(flat)
    const scores = this.logits_proj.forward(this.sequence_summary.forward(base.last_hidden_state))
    const logits = reshape(scores, [-1, choices])
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

export default defineModels({
  config,
  classes: {
    XLMModel,
    XLMWithLMHeadModel,
    XLMForSequenceClassification,
    XLMForTokenClassification,
    XLMForQuestionAnsweringSimple,
    XLMForMultipleChoice,
  },
  auto: {
    maskedLM: 'XLMWithLMHeadModel',
    causalLM: 'XLMWithLMHeadModel',
    preTraining: 'XLMWithLMHeadModel',
    questionAnswering: 'XLMForQuestionAnsweringSimple',
  },
})
