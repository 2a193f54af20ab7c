/** PEGASUS (Zhang et al. 2020), for summaries: norms before the parts, fixed places. */
import { bartAliases, bartDefaults } from './bart.js'
import { ConditionalGeneration, TextToText } from './blocks/bart-layers.js'
import { FixedPlaces } from './blocks/positions.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'pegasus',
  defaults: {
    ...bartDefaults,
    pad_token_id: 0 as number | null,
    eos_token_id: 1 as number | readonly number[] | null,
    decoder_start_token_id: 0 as number | null,
  },
  aliases: bartAliases,
})
export type PegasusConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', optional: /^final_logits_bias$|embed_positions\.weight$/ }

export class PegasusModel extends TextToText<PegasusConfig> {
  static override readonly family: Family = family
  constructor(settings: PegasusConfig) {
    const { max_position_embeddings: places, d_model: width } = settings
    super(settings, settings.vocab_size, {
      preNorm: true,
      embedNorm: false,
      places: () => new FixedPlaces(places, width, { stored: true }),
    })
  }
}

export class PegasusForConditionalGeneration extends ConditionalGeneration<PegasusConfig> {
  static override readonly family: Family = family
  constructor(settings: PegasusConfig) {
    super(settings, new PegasusModel(settings), { vocabSize: settings.vocab_size, biased: true })
  }
}

export default defineModels({ config, classes: { PegasusModel, PegasusForConditionalGeneration } })
