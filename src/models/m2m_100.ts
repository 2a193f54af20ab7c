/** M2M-100 and NLLB (Fan et al. 2020): norms before the parts, fixed places that skip padding. */
import { bartAliases, bartDefaults } from './bart.js'
import { ConditionalGeneration, TextToText } from './blocks/bart-layers.js'
import { PaddedPlaces } from './blocks/positions.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'm2m_100',
  defaults: {
    ...bartDefaults,
    vocab_size: 128112,
    activation_function: 'relu',
    attention_dropout: 0.1,
    scale_embedding: true,
  },
  aliases: bartAliases,
})
export type M2M100Config = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', ignored: /(^|\.)embed_positions\.weights?$/ }

export class M2M100Model extends TextToText<M2M100Config> {
  static override readonly family: Family = family
  constructor(settings: M2M100Config) {
    const { max_position_embeddings: places, d_model: width } = settings
    super(settings, settings.vocab_size, {
      preNorm: true,
      embedNorm: false,
      places: () => new PaddedPlaces(places, width, settings.pad_token_id ?? 1),
    })
  }
}

export class M2M100ForConditionalGeneration extends ConditionalGeneration<M2M100Config> {
  static override readonly family: Family = family
  constructor(settings: M2M100Config) {
    super(settings, new M2M100Model(settings), { vocabSize: settings.vocab_size, biased: false })
  }
}

export default defineModels({ config, classes: { M2M100Model, M2M100ForConditionalGeneration } })
