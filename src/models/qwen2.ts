/** Qwen2 (Yang et al. 2024): Llama with biases at queries, keys and values. */
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { slidingWindow } from './blocks/layer-types.js'
import { readRope } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'qwen2',
  defaults: {
    ...llamaDefaults,
    vocab_size: 151936,
    intermediate_size: 22016,
    num_key_value_heads: 32 as number | null,
    max_position_embeddings: 32768,
    bos_token_id: null as number | null,
    eos_token_id: null as number | readonly number[] | null,
    use_sliding_window: false,
    sliding_window: 4096 as number | null,
    max_window_layers: 28,
    layer_types: null as readonly string[] | null,
  },
  upgrade: (json) => ({ ...json, rope_parameters: readRope(json) }),
})
export type Qwen2Config = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

export class Qwen2Model extends DecoderModel<Qwen2Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen2Config) {
    super(settings, { ...llamaTraits(settings), biases: { qkv: true }, window: slidingWindow(settings) })
  }
}

export class Qwen2ForCausalLM extends CausalLanguageModel<Qwen2Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen2Config) {
    super(settings, new Qwen2Model(settings), causalOptions(settings))
  }
}

export class Qwen2ForSequenceClassification extends LastTokenClassifier<Qwen2Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen2Config) {
    super(settings, new Qwen2Model(settings), settings.hidden_size)
  }
}

export class Qwen2ForTokenClassification extends ScoreTokens<Qwen2Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen2Config) {
    super(settings, new Qwen2Model(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { Qwen2Model, Qwen2ForCausalLM, Qwen2ForSequenceClassification, Qwen2ForTokenClassification },
})
