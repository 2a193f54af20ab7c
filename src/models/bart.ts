/** BART (Lewis et al. 2020). */
import { ConditionalGeneration, TextToText } from './blocks/bart-layers.js'
import { LearnedPlaces } from './blocks/positions.js'
import { DecodedSpanFinder, EndTokenClassifier } from './blocks/seq2seq-heads.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

export const bartDefaults = {
  is_encoder_decoder: true,
  vocab_size: 50265,
  max_position_embeddings: 1024,
  encoder_layers: 12,
  encoder_ffn_dim: 4096,
  encoder_attention_heads: 16,
  decoder_layers: 12,
  decoder_ffn_dim: 4096,
  decoder_attention_heads: 16,
  activation_function: 'gelu',
  d_model: 1024,
  dropout: 0.1,
  attention_dropout: 0,
  activation_dropout: 0,
  init_std: 0.02,
  classifier_dropout: 0,
  scale_embedding: false,
  pad_token_id: 1 as number | null,
  bos_token_id: 0 as number | null,
  eos_token_id: 2 as number | readonly number[] | null,
  decoder_start_token_id: 2 as number | null,
}

export const bartAliases = {
  num_attention_heads: 'encoder_attention_heads',
  hidden_size: 'd_model',
  num_hidden_layers: 'encoder_layers',
}

const config = defineConfig({ model_type: 'bart', defaults: bartDefaults, aliases: bartAliases })
export type BartConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', optional: /^final_logits_bias$/ }

export class BartModel extends TextToText<BartConfig> {
  static override readonly family: Family = family
  constructor(settings: BartConfig) {
    const { max_position_embeddings: places, d_model: width } = settings
    super(settings, settings.vocab_size, {
      preNorm: false,
      embedNorm: true,
      places: () => new LearnedPlaces(places, width, 2),
    })
  }
}

export class BartForConditionalGeneration extends ConditionalGeneration<BartConfig> {
  static override readonly family: Family = family
  constructor(settings: BartConfig) {
    super(settings, new BartModel(settings), { vocabSize: settings.vocab_size, biased: true })
  }
}

export class BartForSequenceClassification extends EndTokenClassifier<BartConfig> {
  static override readonly family: Family = family
  constructor(settings: BartConfig) {
    super(settings, new BartModel(settings), settings.d_model)
  }
}

export class BartForQuestionAnswering extends DecodedSpanFinder<BartConfig> {
  static override readonly family: Family = family
  constructor(settings: BartConfig) {
    super(settings, new BartModel(settings), settings.d_model)
  }
}

export default defineModels({
  config,
  classes: { BartModel, BartForConditionalGeneration, BartForSequenceClassification, BartForQuestionAnswering },
})
