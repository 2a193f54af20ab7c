/** Mistral (Jiang et al. 2023): Llama with a sliding window. */
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { readRope } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'mistral',
  defaults: {
    ...llamaDefaults,
    num_key_value_heads: 8 as number | null,
    intermediate_size: 14336,
    max_position_embeddings: 131072,
    sliding_window: 4096 as number | null,
  },
  upgrade: (json) => ({ ...json, rope_parameters: readRope(json) }),
})
export type MistralConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

export class MistralModel extends DecoderModel<MistralConfig> {
  static override readonly family: Family = family
  constructor(settings: MistralConfig) {
    super(settings, { ...llamaTraits(settings), window: () => settings.sliding_window })
  }
}

export class MistralForCausalLM extends CausalLanguageModel<MistralConfig> {
  static override readonly family: Family = family
  constructor(settings: MistralConfig) {
    super(settings, new MistralModel(settings), causalOptions(settings))
  }
}

export class MistralForSequenceClassification extends LastTokenClassifier<MistralConfig> {
  static override readonly family: Family = family
  constructor(settings: MistralConfig) {
    super(settings, new MistralModel(settings), settings.hidden_size)
  }
}

export class MistralForTokenClassification extends ScoreTokens<MistralConfig> {
  static override readonly family: Family = family
  constructor(settings: MistralConfig) {
    super(settings, new MistralModel(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { MistralModel, MistralForCausalLM, MistralForSequenceClassification, MistralForTokenClassification },
})
