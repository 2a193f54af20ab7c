/** BERT (Devlin et al. 2019) with transformers' heads. Shapes: B batch, T tokens, H features, V vocabulary, L labels. */
import { Module, torch } from '../nn/index.js'
import { add, asTensor, Parameter, type Tensor, zeros } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { BertEncoder, BertPooler } from './blocks/bert-layers.js'
import { checkLength, embed, positionsFrom, tokenVectors } from './blocks/embeddings.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  Headed,
  PooledClassifier,
  pooled,
  SpanFinder,
  TokenClassifier,
} from './blocks/heads.js'
import { causalLoss, tokenLoss } from './blocks/losses.js'
import { both as bothMasks, causalMask, keyMask } from './blocks/masks.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
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

class Embeddings extends Module {
  readonly word_embeddings: torch.Embedding
  readonly position_embeddings: torch.Embedding
  readonly token_type_embeddings: torch.Embedding
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(settings: BertConfig) {
    super()
    const { hidden_size: width, pad_token_id: padding } = settings
    this.word_embeddings = new torch.Embedding(settings.vocab_size, width, { paddingIdx: padding ?? undefined })
    this.position_embeddings = new torch.Embedding(settings.max_position_embeddings, width)
    this.token_type_embeddings = new torch.Embedding(settings.type_vocab_size, width)
    this.LayerNorm = new torch.LayerNorm(width, { eps: settings.layer_norm_eps })
    this.dropout = new torch.Dropout(settings.hidden_dropout_prob)
  }

  forward(inputs: ModelInputs): Tensor {
    const words = tokenVectors(this.word_embeddings, inputs)
    const [batch, tokens] = words.shape
    checkLength(tokens, this.position_embeddings.numEmbeddings)
    const types = inputs.token_type_ids ?? zeros([batch, tokens], { dtype: 'i32' })
    const places = embed(this.position_embeddings, inputs.position_ids ?? positionsFrom(tokens))
    const sum = add(add(words, embed(this.token_type_embeddings, types)), places)
    return this.dropout.forward(this.LayerNorm.forward(sum))
  }
}

/** States of the tokens and, unless left out, of the whole text. */
export class BertModel extends EncoderModel<BertConfig> {
  static override readonly family: Family = family
  readonly embeddings: Embeddings
  readonly encoder: BertEncoder
  readonly pooler: BertPooler | null

  constructor(settings: BertConfig, options: { pooler?: boolean } = {}) {
    super(settings)
    this.embeddings = new Embeddings(settings)
    this.encoder = new BertEncoder(settings)
    this.pooler = (options.pooler ?? true) ? new BertPooler(settings) : null
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const { encoder_hidden_states: states } = inputs
    const encoderStates = states === null || states === undefined ? null : asTensor(states)
    const recorder = new Recorder(this.config, inputs, this.config.add_cross_attention && encoderStates !== null)
    const x = this.embeddings.forward(inputs)
    const tokens = x.shape[1]
    const causal = this.config.is_decoder ? causalMask(tokens, tokens, 0) : null
    const last_hidden_state = this.encoder.forward(x, {
      mask: bothMasks(keyMask(inputs.attention_mask), causal),
      recorder,
      encoderStates: this.config.is_decoder ? encoderStates : null,
      encoderMask: keyMask(inputs.encoder_attention_mask),
    })
    const pooled = this.pooler ? { pooler_output: this.pooler.forward(last_hidden_state) } : {}
    return { last_hidden_state, ...pooled, ...recorder.outputs }
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
    const weight = settings.tie_word_embeddings ? words : undefined
    this.decoder = new torch.Linear(settings.hidden_size, settings.vocab_size, { bias: this.bias, weight })
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
    return predictions ? [predictions.bias, predictions.decoder.weight] : []
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
    const logits = this.cls.words(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** Scores of the token that follows [B, T, V], for configs with `is_decoder`. */
export class BertLMHeadModel extends WithVocabulary {
  constructor(settings: BertConfig) {
    super(settings, { pooler: false, next: false })
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
