/** ELECTRA (Clark et al. 2020): BERT's layers over narrower embeddings; discriminator and generator. */
import { Module, torch } from '../nn/index.js'
import { binaryCrossEntropyWithLogits } from '../tensor/functional/index.js'
import { asTensor, eq, gelu, mul, type Parameter, type Tensor, type TensorLike, where } from '../tensor/index.js'
import { bertDefaults } from './bert.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { BertEmbeddings } from './blocks/bert-embeddings.js'
import { BertEncoder, bertCacheShapes, runBertEncoder } from './blocks/bert-layers.js'
import type { CacheShape } from './blocks/cache.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  FirstTokenClassifier,
  Headed,
  SpanFinder,
  scoredStates,
  TokenClassifier,
} from './blocks/heads.js'
import { causalLoss, tokenLoss } from './blocks/losses.js'
import { lossOf, passed } from './blocks/outputs.js'
import { SequenceSummary } from './blocks/summary.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'electra',
  defaults: {
    ...bertDefaults,
    embedding_size: 128,
    hidden_size: 256,
    num_attention_heads: 4,
    intermediate_size: 1024,
    summary_type: 'first',
    summary_use_proj: true,
    summary_activation: 'gelu' as string | null,
    summary_last_dropout: 0.1,
  },
})
export type ElectraConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'electra' }

export class ElectraModel extends EncoderModel<ElectraConfig> {
  static override readonly family: Family = family
  readonly embeddings: BertEmbeddings
  readonly embeddings_project: torch.Linear | null
  readonly encoder: BertEncoder

  constructor(settings: ElectraConfig) {
    super(settings)
    const { embedding_size: narrow, hidden_size: wide } = settings
    this.embeddings = new BertEmbeddings({
      vocabSize: settings.vocab_size,
      width: narrow,
      positions: settings.max_position_embeddings,
      types: settings.type_vocab_size,
      padding: settings.pad_token_id,
      eps: settings.layer_norm_eps,
      dropout: settings.hidden_dropout_prob,
    })
    this.embeddings_project = narrow === wide ? null : new torch.Linear(narrow, wide)
    this.encoder = new BertEncoder(settings)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings.word_embeddings
  }

  override cacheShapes(): readonly CacheShape[] | null {
    return bertCacheShapes(this.config)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const embedded = this.embeddings.forward(inputs)
    const x = this.embeddings_project ? this.embeddings_project.forward(embedded) : embedded
    const { states, recorded } = runBertEncoder(this.encoder, x, this.config, inputs)
    return { last_hidden_state: states, ...recorded }
  }
}

class Discriminator extends Module {
  readonly dense: torch.Linear
  readonly dense_prediction: torch.Linear
  readonly #act: ActivationFn

  constructor(settings: ElectraConfig) {
    super()
    this.dense = new torch.Linear(settings.hidden_size, settings.hidden_size)
    this.dense_prediction = new torch.Linear(settings.hidden_size, 1)
    this.#act = activation(settings.hidden_act)
  }

  forward(states: Tensor): Tensor {
    return this.dense_prediction.forward(this.#act(this.dense.forward(states))).squeeze(-1)
  }
}

/** Mean over tokens that count (attention_mask 1). */
function replacedLoss(logits: Tensor, labels: TensorLike, mask: TensorLike | null | undefined): Tensor {
  const target = asTensor(labels).to(logits.dtype)
  if (mask === null || mask === undefined) return binaryCrossEntropyWithLogits(logits, target)
  const counts = eq(asTensor(mask), 1)
  const losses = binaryCrossEntropyWithLogits(logits, target, { reduction: 'none' })
  return mul(where(counts, losses, 0).sum(), counts.to(logits.dtype).sum().reciprocal())
}

/** Whether each token was replaced: scores [B, T]; `labels` [B, T], 1 for replaced ones. */
export class ElectraForPreTraining extends Headed<ElectraConfig> {
  static override readonly family: Family = family
  readonly discriminator_predictions: Discriminator

  constructor(settings: ElectraConfig) {
    super(settings, new ElectraModel(settings))
    this.discriminator_predictions = new Discriminator(settings)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.discriminator_predictions.forward(base.last_hidden_state)
    const loss = lossOf(inputs.labels, (labels) => replacedLoss(logits, labels, inputs.attention_mask))
    return { ...loss, logits, ...passed(base) }
  }
}

class Generator extends Module {
  readonly LayerNorm: torch.LayerNorm
  readonly dense: torch.Linear

  constructor(settings: ElectraConfig) {
    super()
    this.LayerNorm = new torch.LayerNorm(settings.embedding_size, { eps: settings.layer_norm_eps })
    this.dense = new torch.Linear(settings.hidden_size, settings.embedding_size)
  }

  forward(states: Tensor): Tensor {
    return this.LayerNorm.forward(gelu(this.dense.forward(states)))
  }
}

/** Scores over the vocabulary [B, T, V]. */
export class ElectraForMaskedLM extends Headed<ElectraConfig> {
  static override readonly family: Family = family
  readonly generator_predictions: Generator
  readonly generator_lm_head: torch.Linear

  constructor(settings: ElectraConfig) {
    super(settings, new ElectraModel(settings))
    this.generator_predictions = new Generator(settings)
    const weight = settings.tie_word_embeddings ? this.base.inputEmbeddings()?.weight : undefined
    this.generator_lm_head = new torch.Linear(settings.embedding_size, settings.vocab_size, { weight })
  }

  override vocabularyParameters(): readonly Parameter[] {
    const { weight, bias } = this.generator_lm_head
    return bias ? [weight, bias] : [weight]
  }

  protected loss(logits: Tensor, labels: TensorLike): Tensor {
    return tokenLoss(logits, labels)
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.generator_lm_head.forward(this.generator_predictions.forward(scoredStates(base, inputs)))
    return { ...lossOf(inputs.labels, (labels) => this.loss(logits, labels)), logits, ...passed(base) }
  }
}

/** For configs with `is_decoder`. */
export class ElectraForCausalLM extends ElectraForMaskedLM {
  override cacheShapes(): readonly CacheShape[] | null {
    return this.base.cacheShapes()
  }

  protected override loss(logits: Tensor, labels: TensorLike): Tensor {
    return causalLoss(logits, labels)
  }
}

const classifierOptions = (settings: ElectraConfig): ClassifierOptions => ({
  dropout: settings.classifier_dropout ?? settings.hidden_dropout_prob,
  width: settings.hidden_size,
  labels: settings.num_labels,
})

export class ElectraForSequenceClassification extends FirstTokenClassifier<ElectraConfig> {
  static override readonly family: Family = family
  constructor(settings: ElectraConfig) {
    super(settings, new ElectraModel(settings), classifierOptions(settings), 'gelu')
  }
}

export class ElectraForTokenClassification extends TokenClassifier<ElectraConfig> {
  static override readonly family: Family = family
  constructor(settings: ElectraConfig) {
    super(settings, new ElectraModel(settings), classifierOptions(settings))
  }
}

export class ElectraForQuestionAnswering extends SpanFinder<ElectraConfig> {
  static override readonly family: Family = family
  constructor(settings: ElectraConfig) {
    super(settings, new ElectraModel(settings), settings.hidden_size)
  }
}

export class ElectraForMultipleChoice extends ChoiceClassifier<ElectraConfig> {
  static override readonly family: Family = family
  readonly sequence_summary: SequenceSummary

  constructor(settings: ElectraConfig) {
    super(settings, new ElectraModel(settings), { dropout: 0, width: settings.hidden_size, labels: 1 })
    this.sequence_summary = new SequenceSummary(settings, settings.hidden_size)
  }

  protected override text(base: BaseModelOutput): Tensor {
    return this.sequence_summary.forward(base.last_hidden_state)
  }
}

export default defineModels({
  config,
  classes: {
    ElectraModel,
    ElectraForPreTraining,
    ElectraForMaskedLM,
    ElectraForCausalLM,
    ElectraForSequenceClassification,
    ElectraForMultipleChoice,
    ElectraForTokenClassification,
    ElectraForQuestionAnswering,
  },
})
