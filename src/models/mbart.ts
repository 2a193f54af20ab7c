/** mBART (Liu et al. 2020): BART with norms before the parts and a norm of the embeddings. */
import { bartAliases, bartDefaults } from './bart.js'
import { ConditionalGeneration, TextToText } from './blocks/bart-layers.js'
import { LearnedPlaces } from './blocks/positions.js'
import { DecodedSpanFinder, EndTokenClassifier } from './blocks/seq2seq-heads.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'mbart',
  defaults: {
    ...bartDefaults,
    activation_function: 'gelu',
    decoder_start_token_id: null as number | null,
  },
  aliases: bartAliases,
})
export type MBartConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', optional: /^final_logits_bias$/ }

export class MBartModel extends TextToText<MBartConfig> {
  static override readonly family: Family = family
  constructor(settings: MBartConfig) {
    const { max_position_embeddings: places, d_model: width } = settings
    super(settings, settings.vocab_size, {
      preNorm: true,
      embedNorm: true,
      places: () => new LearnedPlaces(places, width, 2),
    })
  }
}

export class MBartForConditionalGeneration extends ConditionalGeneration<MBartConfig> {
  static override readonly family: Family = family
  constructor(settings: MBartConfig) {
    super(settings, new MBartModel(settings), { vocabSize: settings.vocab_size, biased: true })
  }
}

export class MBartForSequenceClassification extends EndTokenClassifier<MBartConfig> {
  static override readonly family: Family = family
  constructor(settings: MBartConfig) {
    super(settings, new MBartModel(settings), settings.d_model)
  }
}

export class MBartForQuestionAnswering extends DecodedSpanFinder<MBartConfig> {
  static override readonly family: Family = family
  constructor(settings: MBartConfig) {
    super(settings, new MBartModel(settings), settings.d_model)
  }
}

export default defineModels({
  config,
  classes: { MBartModel, MBartForConditionalGeneration, MBartForSequenceClassification, MBartForQuestionAnswering },
})
