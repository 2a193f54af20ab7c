/** RoBERTa (Liu et al. 2019): BERT's layers, positions that skip padding, heads of its own. */
import type { torch } from '../nn/index.js'
import type { Tensor, TensorLike } from '../tensor/index.js'
import { bertDefaults } from './bert.js'
import { BertEmbeddings } from './blocks/bert-embeddings.js'
import { BertEncoder, BertPooler, bertCacheShapes, runBertEncoder } from './blocks/bert-layers.js'
import type { CacheShape } from './blocks/cache.js'
import {
  ChoiceClassifier,
  type ClassifierOptions,
  EncoderModel,
  FirstTokenClassifier,
  MaskedLanguageModel,
  SpanFinder,
  TokenClassifier,
} from './blocks/heads.js'
import { causalLoss } from './blocks/losses.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

export const robertaDefaults = {
  ...bertDefaults,
  vocab_size: 50265,
  pad_token_id: 1 as number | null,
  bos_token_id: 0 as number | null,
  eos_token_id: 2 as number | readonly number[] | null,
}

const config = defineConfig({ model_type: 'roberta', defaults: robertaDefaults })
export type RobertaConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'roberta', optional: /(^|\.)pooler\./ }

export class RobertaModel extends EncoderModel<RobertaConfig> {
  static override readonly family: Family = family
  readonly embeddings: BertEmbeddings
  readonly encoder: BertEncoder
  readonly pooler: BertPooler | null

  constructor(settings: RobertaConfig, options: { pooler?: boolean } = {}) {
    super(settings)
    this.embeddings = new BertEmbeddings({
      vocabSize: settings.vocab_size,
      width: settings.hidden_size,
      positions: settings.max_position_embeddings,
      types: settings.type_vocab_size,
      padding: settings.pad_token_id,
      eps: settings.layer_norm_eps,
      dropout: settings.hidden_dropout_prob,
      positionsFromIds: true,
    })
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

const bare = (settings: RobertaConfig): RobertaModel => new RobertaModel(settings, { pooler: false })

const headOptions = (settings: RobertaConfig) => ({
  width: settings.hidden_size,
  vocabSize: settings.vocab_size,
  eps: settings.layer_norm_eps,
})

export class RobertaForMaskedLM extends MaskedLanguageModel<RobertaConfig> {
  static override readonly family: Family = family
  constructor(settings: RobertaConfig) {
    super(settings, bare(settings), headOptions(settings))
  }
}

/** For configs with `is_decoder`. */
export class RobertaForCausalLM extends MaskedLanguageModel<RobertaConfig> {
  static override readonly family: Family = family
  constructor(settings: RobertaConfig) {
    super(settings, bare(settings), headOptions(settings))
  }

  override cacheShapes(): readonly CacheShape[] | null {
    return this.base.cacheShapes()
  }

  protected override loss(logits: Tensor, labels: TensorLike): Tensor {
    return causalLoss(logits, labels)
  }
}

const classifierOptions = (settings: RobertaConfig): ClassifierOptions => ({
  dropout: settings.classifier_dropout ?? settings.hidden_dropout_prob,
  width: settings.hidden_size,
  labels: settings.num_labels,
})

export class RobertaForSequenceClassification extends FirstTokenClassifier<RobertaConfig> {
  static override readonly family: Family = family
  constructor(settings: RobertaConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export class RobertaForMultipleChoice extends ChoiceClassifier<RobertaConfig> {
  static override readonly family: Family = family
  constructor(settings: RobertaConfig) {
    const { hidden_dropout_prob: dropout, hidden_size: width } = settings
    super(settings, new RobertaModel(settings), { dropout, width, labels: 1 })
  }
}

export class RobertaForTokenClassification extends TokenClassifier<RobertaConfig> {
  static override readonly family: Family = family
  constructor(settings: RobertaConfig) {
    super(settings, bare(settings), classifierOptions(settings))
  }
}

export class RobertaForQuestionAnswering extends SpanFinder<RobertaConfig> {
  static override readonly family: Family = family
  constructor(settings: RobertaConfig) {
    super(settings, bare(settings), settings.hidden_size)
  }
}

export default defineModels({
  config,
  classes: {
    RobertaModel,
    RobertaForMaskedLM,
    RobertaForCausalLM,
    RobertaForSequenceClassification,
    RobertaForMultipleChoice,
    RobertaForTokenClassification,
    RobertaForQuestionAnswering,
  },
  auto: { preTraining: 'RobertaForMaskedLM' },
})
