/** BERT (Devlin et al. 2019) with transformers' heads. Shapes: B batch, T tokens, H features, V vocabulary, L labels. */
import { Module, torch } from '../nn/index.js'
import { add, Parameter, type Tensor, zeros } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { BertEmbeddings, type BertEmbeddingsOptions } from './blocks/bert-embeddings.js'
import { BertEncoder, BertPooler, bertCacheShapes, runBertEncoder } from './blocks/bert-layers.js'
import type { CacheShape } from './blocks/cache.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  Headed,
  PooledClassifier,
  pooled,
  SpanFinder,
  scoredStates,
  TokenClassifier,
} from './blocks/heads.js'
import { causalLoss, tokenLoss } from './blocks/losses.js'
import { lossOf, passed } from './blocks/outputs.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs, ModelOutput } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

export const bertDefaults = {
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  initializer_range: 0.02,
  layer_norm_eps: 1e-12,
  pad_token_id: 0 as number | null,
  classifier_dropout: null as number | null,
  is_decoder: false,
  add_cross_attention: false,
}

const config = defineConfig({ model_type: 'bert', defaults: bertDefaults })
export type BertConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'bert', optional: /(^|\.)pooler\./ }

const embeddingsOptions = (settings: BertConfig): BertEmbeddingsOptions => ({
  vocabSize: settings.vocab_size,
  width: settings.hidden_size,
  positions: settings.max_position_embeddings,
  types: settings.type_vocab_size,
  padding: settings.pad_token_id,
  eps: settings.layer_norm_eps,
  dropout: settings.hidden_dropout_prob,
})

/** States of the tokens and, unless left out, of the whole text. */
export class BertModel extends EncoderModel<BertConfig> {
  static override readonly family: Family = family
  readonly embeddings: BertEmbeddings
  readonly encoder: BertEncoder
  readonly pooler: BertPooler | null

  constructor(settings: BertConfig, options: { pooler?: boolean } = {}) {
    super(settings)
    this.embeddings = new BertEmbeddings(embeddingsOptions(settings))
    this.encoder = new BertEncoder(settings)
    this.pooler = (options.pooler ?? true) ? new BertPooler(settings) : null
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override cacheShapes(): readonly CacheShape[] | null {
    return bertCacheShapes(this.config)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const x = this.embeddings.forward(inputs)
    const { states, recorded } = runBertEncoder(this.encoder, x, this.config, inputs)
    const pooled = this.pooler ? { pooler_output: this.pooler.forward(states) } : {}
    return { last_hidden_state: states, ...pooled, ...recorded }
  }
}

class PredictionTransform extends Module {
  readonly dense: torch.Linear
  readonly LayerNorm: torch.LayerNorm
  readonly #act: ActivationFn

  constructor(settings: BertConfig) {
    super()
    this.dense = new torch.Linear(settings.hidden_size, settings.hidden_size)
    this.LayerNorm = new torch.LayerNorm(settings.hidden_size, { eps: settings.layer_norm_eps })
    this.#act = activation(settings.hidden_act)
  }

  forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(this.#act(this.dense.forward(x)))
  }
}

class PredictionHead extends Module {
  readonly transform: PredictionTransform
  readonly bias: Parameter
  readonly decoder: torch.Linear

  constructor(settings: BertConfig, words: Parameter) {
    super()
    this.transform = new PredictionTransform(settings)
    this.bias = new Parameter(zeros([settings.vocab_size]))
    const tied = settings.tie_word_embeddings ? { weight: words, bias: this.bias } : {}
    this.decoder = new torch.Linear(settings.hidden_size, settings.vocab_size, tied)
  }

  forward(x: Tensor): Tensor {
    return this.decoder.forward(this.transform.forward(x))
  }
}

/** The heads over the vocabulary (`predictions`) and over "does B follow A" (`seq_relationship`). */
class Heads extends Module {
  readonly predictions: PredictionHead | null
  readonly seq_relationship: torch.Linear | null

  constructor(settings: BertConfig, words: Parameter | null, next: boolean) {
    super()
    this.predictions = words ? new PredictionHead(settings, words) : null
    this.seq_relationship = next ? new torch.Linear(settings.hidden_size, 2) : null
  }

  /** Scores over the vocabulary. */
  words(states: Tensor): Tensor {
    return (this.predictions as PredictionHead).forward(states)
  }

  /** Scores of following or not. */
  next(state: Tensor): Tensor {
    return (this.seq_relationship as torch.Linear).forward(state)
  }
}

/** Heads that score the vocabulary at each token. */
abstract class WithVocabulary extends Headed<BertConfig, BertModel> {
  static override readonly family: Family = family
  readonly cls: Heads

  constructor(settings: BertConfig, parts: { pooler: boolean; next: boolean }) {
    super(settings, new BertModel(settings, { pooler: parts.pooler }))
    this.cls = new Heads(settings, this.base.embeddings.word_embeddings.weight, parts.next)
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { predictions } = this.cls
    if (!predictions) return []
    const { bias, decoder } = predictions
    return decoder.bias ? [bias, decoder.weight, decoder.bias] : [bias, decoder.weight]
  }
}

const both = <T>(a: T | null | undefined, b: T | null | undefined): readonly [T, T] | null =>
  a === null || a === undefined || b === null || b === undefined ? null : [a, b]

/** `labels` [B, T] (-100: not counted) and `next_sentence_label` [B], both needed for a loss. */
export class BertForPreTraining extends WithVocabulary {
  constructor(settings: BertConfig) {
    super(settings, { pooler: true, next: true })
  }

  override forward(inputs: ModelInputs): ModelOutput {
    const base = this.base.forward(inputs)
    const prediction_logits = this.cls.words(base.last_hidden_state)
    const seq_relationship_logits = this.cls.next(pooled(base))
    const given = both(inputs.labels, inputs.next_sentence_label)
    const loss = given && add(tokenLoss(prediction_logits, given[0]), tokenLoss(seq_relationship_logits, given[1]))
    return { ...(loss ? { loss } : {}), prediction_logits, seq_relationship_logits, ...passed(base) }
  }
}

/** Scores over the vocabulary [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class BertForMaskedLM extends WithVocabulary {
  constructor(settings: BertConfig) {
    super(settings, { pooler: false, next: false })
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.cls.words(scoredStates(base, inputs))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** Scores of the token that follows [B, T, V], for configs with `is_decoder`. */
export class BertLMHeadModel extends WithVocabulary {
  constructor(settings: BertConfig) {
    super(settings, { pooler: false, next: false })
  }

  override cacheShapes(): readonly CacheShape[] | null {
    return this.base.cacheShapes()
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.cls.words(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => causalLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** Whether text B follows text A: scores [B, 2]; `labels` [B], 0 where it does. */
export class BertForNextSentencePrediction extends Headed<BertConfig, BertModel> {
  static override readonly family: Family = family
  readonly cls: Heads

  constructor(settings: BertConfig) {
    super(settings, new BertModel(settings))
    this.cls = new Heads(settings, null, true)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.cls.next(pooled(base))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

const classifierOptions = (settings: BertConfig, labels = settings.num_labels): ClassifierOptions => ({
  dropout: settings.classifier_dropout ?? settings.hidden_dropout_prob,
  width: settings.hidden_size,
  labels,
})

export class BertForSequenceClassification extends PooledClassifier<BertConfig> {
  static override readonly family: Family = family
  constructor(settings: BertConfig) {
    super(settings, new BertModel(settings), classifierOptions(settings))
  }
}

export class BertForMultipleChoice extends ChoiceClassifier<BertConfig> {
  static override readonly family: Family = family
  constructor(settings: BertConfig) {
    super(settings, new BertModel(settings), classifierOptions(settings, 1))
  }
}

export class BertForTokenClassification extends TokenClassifier<BertConfig> {
  static override readonly family: Family = family
  constructor(settings: BertConfig) {
    super(settings, new BertModel(settings, { pooler: false }), classifierOptions(settings))
  }
}

export class BertForQuestionAnswering extends SpanFinder<BertConfig> {
  static override readonly family: Family = family
  constructor(settings: BertConfig) {
    super(settings, new BertModel(settings, { pooler: false }), settings.hidden_size)
  }
}

export default defineModels({
  config,
  classes: {
    BertModel,
    BertForPreTraining,
    BertForMaskedLM,
    BertLMHeadModel,
    BertForNextSentencePrediction,
    BertForSequenceClassification,
    BertForMultipleChoice,
    BertForTokenClassification,
    BertForQuestionAnswering,
  },
  auto: { causalLM: 'BertLMHeadModel' },
})
