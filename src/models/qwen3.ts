/** Qwen3 (Yang et al. 2025): norms of queries and keys. */
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { slidingWindow } from './blocks/layer-types.js'
import { readRope } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'qwen3',
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
    head_dim: 128 as number | null,
  },
  upgrade: (json) => ({ ...json, rope_parameters: readRope(json) }),
})
export type Qwen3Config = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

export class Qwen3Model extends DecoderModel<Qwen3Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen3Config) {
    const { attention_bias: bias } = settings
    super(settings, {
      ...llamaTraits(settings),
      biases: { qkv: bias, output: bias },
      qkNorm: true,
      window: slidingWindow(settings),
    })
  }
}

export class Qwen3ForCausalLM extends CausalLanguageModel<Qwen3Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen3Config) {
    super(settings, new Qwen3Model(settings), causalOptions(settings))
  }
}

export class Qwen3ForSequenceClassification extends LastTokenClassifier<Qwen3Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen3Config) {
    super(settings, new Qwen3Model(settings), settings.hidden_size)
  }
}

export class Qwen3ForTokenClassification extends ScoreTokens<Qwen3Config> {
  static override readonly family: Family = family
  constructor(settings: Qwen3Config) {
    super(settings, new Qwen3Model(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { Qwen3Model, Qwen3ForCausalLM, Qwen3ForSequenceClassification, Qwen3ForTokenClassification },
})
