/** DeBERTa v2 and v3 (He et al. 2021): attention to contents and to relative places, apart. */
import { Module, torch } from '../nn/index.js'
import { linear, logSoftmax, mseLoss } from '../tensor/functional/index.js'
import {
  asTensor,
  ge,
  logicalAnd,
  mean,
  mul,
  ne,
  neg,
  Parameter,
  reshape,
  sum,
  type Tensor,
  unsqueeze,
  where,
  zeros,
} from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import {
  type DebertaV2Config,
  DebertaV2Embeddings,
  DebertaV2Encoder,
  debertaV2Defaults,
} from './blocks/deberta-layers.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  Headed,
  SequenceClassifier,
  SpanFinder,
  scoredStates,
  TokenClassifier,
} from './blocks/heads.js'
import { tokenLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { defineConfig, type JsonObject } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

export type { DebertaV2Config } from './blocks/deberta-layers.js'

const config = defineConfig({
  model_type: 'deberta-v2',
  defaults: debertaV2Defaults,
  upgrade: (json: JsonObject): JsonObject => {
    const { pos_att_type: types } = json
    return typeof types === 'string'
      ? { ...json, pos_att_type: types.split('|').map((type) => type.trim().toLowerCase()) }
      : json
  },
})

const family: Family = { config, prefix: 'deberta', ignored: /(^|\.)(mask_predictions|position_embeddings)\./ }

/** bool [B, T], and which pairs of tokens may look at each other. */
function masksOf(attentionMask: ModelInputs['attention_mask']): { counts: Tensor | null; pairs: Tensor | null } {
  if (attentionMask === null || attentionMask === undefined) return { counts: null, pairs: null }
  const mask = ne(asTensor(attentionMask), 0)
  if (mask.ndim === 3) return { counts: mask.any(1), pairs: unsqueeze(mask, 1) }
  const [batch, tokens] = mask.shape
  const pairs = logicalAnd(reshape(mask, [batch, 1, 1, tokens]), reshape(mask, [batch, 1, tokens, 1]))
  return { counts: mask, pairs }
}

export class DebertaV2Model extends EncoderModel<DebertaV2Config> {
  static override readonly family: Family = family
  readonly embeddings: DebertaV2Embeddings
  readonly encoder: DebertaV2Encoder

  constructor(settings: DebertaV2Config) {
    super(settings)
    this.embeddings = new DebertaV2Embeddings(settings)
    this.encoder = new DebertaV2Encoder(settings)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const { counts, pairs } = masksOf(inputs.attention_mask)
    const x = this.embeddings.forward(inputs, counts)
    const last_hidden_state = this.encoder.forward(x, counts, pairs, recorder)
    return { last_hidden_state, ...recorder.outputs }
  }
}

class Transform extends Module {
  readonly dense: torch.Linear
  readonly LayerNorm: torch.LayerNorm
  readonly #act: ActivationFn

  constructor(settings: DebertaV2Config, to: number) {
    super()
    this.dense = new torch.Linear(settings.hidden_size, to)
    this.LayerNorm = new torch.LayerNorm(to, { eps: settings.layer_norm_eps })
    this.#act = activation(settings.hidden_act)
  }

  forward(states: Tensor): Tensor {
    return this.LayerNorm.forward(this.#act(this.dense.forward(states)))
  }
}

class LegacyPredictions extends Module {
  readonly transform: Transform
  readonly bias: Parameter
  readonly decoder: torch.Linear

  constructor(settings: DebertaV2Config, words: Parameter) {
    super()
    const { vocab_size: tokens } = settings
    const width = settings.embedding_size ?? settings.hidden_size
    this.transform = new Transform(settings, width)
    this.bias = new Parameter(zeros([tokens]))
    const tied = settings.tie_word_embeddings ? { weight: words, bias: this.bias } : {}
    this.decoder = new torch.Linear(width, tokens, tied)
  }
}

/** The head of files made before `legacy: false`. */
class LegacyHead extends Module {
  readonly predictions: LegacyPredictions

  constructor(settings: DebertaV2Config, words: Parameter) {
    super()
    this.predictions = new LegacyPredictions(settings, words)
  }
}

/** The head that the authors trained: scores are products with the word vectors themselves. */
class Predictions extends Transform {
  readonly bias: Parameter

  constructor(settings: DebertaV2Config) {
    super(settings, settings.hidden_size)
    this.bias = new Parameter(zeros([settings.vocab_size]))
  }
}

class Head extends Module {
  readonly lm_head: Predictions

  constructor(settings: DebertaV2Config) {
    super()
    this.lm_head = new Predictions(settings)
  }
}

/** Scores over the vocabulary [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export class DebertaV2ForMaskedLM extends Headed<DebertaV2Config, DebertaV2Model> {
  static override readonly family: Family = family
  readonly cls: LegacyHead | null
  readonly lm_predictions: Head | null

  constructor(settings: DebertaV2Config) {
    super(settings, new DebertaV2Model(settings))
    this.cls = settings.legacy ? new LegacyHead(settings, this.base.embeddings.word_embeddings.weight) : null
    this.lm_predictions = settings.legacy ? null : new Head(settings)
  }

  override vocabularyParameters(): readonly Parameter[] {
    if (this.cls) {
      const { bias, decoder } = this.cls.predictions
      return decoder.bias ? [bias, decoder.weight, decoder.bias] : [bias, decoder.weight]
    }
    return this.lm_predictions ? [this.lm_predictions.lm_head.bias] : []
  }

  private scores(states: Tensor): Tensor {
    if (this.cls) {
      const { transform, decoder } = this.cls.predictions
      return decoder.forward(transform.forward(states))
    }
    const { lm_head } = this.lm_predictions as Head
    return linear(lm_head.forward(states), this.base.embeddings.word_embeddings.weight, lm_head.bias)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.scores(scoredStates(base, inputs))
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passed(base) }
  }
}

/** The first token's state through dropout, a dense layer and an activation. */
class ContextPooler extends Module {
  readonly dense: torch.Linear
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: DebertaV2Config) {
    super()
    const width = settings.pooler_hidden_size ?? settings.hidden_size
    this.dense = new torch.Linear(width, width)
    this.dropout = new torch.Dropout(settings.pooler_dropout)
    this.#act = activation(settings.pooler_hidden_act)
  }

  forward(states: Tensor): Tensor {
    return this.#act(this.dense.forward(this.dropout.forward(states.select(1, 0))))
  }
}

const classifierOptions = (settings: DebertaV2Config, labels = settings.num_labels): ClassifierOptions => ({
  dropout: settings.cls_dropout ?? settings.hidden_dropout_prob,
  width: settings.hidden_size,
  labels,
})

export class DebertaV2ForSequenceClassification extends SequenceClassifier<DebertaV2Config> {
  static override readonly family: Family = family
  readonly pooler: ContextPooler
  readonly classifier: torch.Linear
  readonly dropout: torch.Dropout

  constructor(settings: DebertaV2Config) {
    super(settings, new DebertaV2Model(settings))
    const { width, labels, dropout } = classifierOptions(settings)
    this.pooler = new ContextPooler(settings)
    this.classifier = new torch.Linear(width, labels)
    this.dropout = new torch.Dropout(dropout)
  }

  protected override scores({ last_hidden_state: states }: BaseModelOutput): Tensor {
    return this.classifier.forward(this.dropout.forward(this.pooler.forward(states)))
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const { labels } = inputs
    if (this.config.problem_type || labels === null || labels === undefined) return super.forward(inputs)
    const { logits: scores, ...others } = super.forward({ ...inputs, labels: null })
    return { ...unstatedLoss(scores, asTensor(labels)), ...others }
  }
}

/**
 * Loss where the config states no problem type, as DebertaV2ForSequenceClassification of transformers has it: one label is regression
 * (and its scores are then [B]), class indices below 0 do not count, and [B, L] are weights of the classes.
 */
function unstatedLoss(scores: Tensor, labels: Tensor): { readonly loss: Tensor; readonly logits: Tensor } {
  if (scores.shape[1] === 1) {
    const logits = reshape(scores, [-1])
    return { loss: mseLoss(logits, reshape(labels.to(logits.dtype), [-1])), logits }
  }
  if (labels.ndim === 1 || labels.shape[labels.ndim - 1] === 1) {
    const classes = reshape(labels, [-1]).to('i32')
    return { loss: tokenLoss(scores, where(ge(classes, 0), classes, -100)), logits: scores }
  }
  return { loss: neg(mean(sum(mul(logSoftmax(scores, -1), labels), -1))), logits: scores }
}

export class DebertaV2ForMultipleChoice extends ChoiceClassifier<DebertaV2Config> {
  static override readonly family: Family = family
  readonly pooler: ContextPooler

  constructor(settings: DebertaV2Config) {
    super(settings, new DebertaV2Model(settings), classifierOptions(settings, 1))
    this.pooler = new ContextPooler(settings)
  }

  protected override text({ last_hidden_state: states }: BaseModelOutput): Tensor {
    return this.pooler.forward(states)
  }
}

export class DebertaV2ForTokenClassification extends TokenClassifier<DebertaV2Config> {
  static override readonly family: Family = family
  constructor(settings: DebertaV2Config) {
    const { hidden_dropout_prob: dropout, hidden_size: width, num_labels: labels } = settings
    super(settings, new DebertaV2Model(settings), { dropout, width, labels })
  }
}

export class DebertaV2ForQuestionAnswering extends SpanFinder<DebertaV2Config> {
  static override readonly family: Family = family
  constructor(settings: DebertaV2Config) {
    super(settings, new DebertaV2Model(settings), settings.hidden_size)
  }
}

export default defineModels({
  config,
  classes: {
    DebertaV2Model,
    DebertaV2ForMaskedLM,
    DebertaV2ForSequenceClassification,
    DebertaV2ForMultipleChoice,
    DebertaV2ForTokenClassification,
    DebertaV2ForQuestionAnswering,
  },
})
