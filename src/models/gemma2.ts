/** Gemma 2 (Riviere et al. 2024): norms around every part, limited scores, every second layer with a window. */
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { layerTypes, slidingWindow } from './blocks/layer-types.js'
import { readRope } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'gemma2',
  defaults: {
    ...llamaDefaults,
    vocab_size: 256000,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4 as number | null,
    head_dim: 256 as number | null,
    hidden_activation: 'gelu_pytorch_tanh',
    max_position_embeddings: 8192,
    pad_token_id: 0 as number | null,
    eos_token_id: 1 as number | readonly number[] | null,
    bos_token_id: 2 as number | null,
    tie_word_embeddings: true,
    query_pre_attn_scalar: 256,
    sliding_window: 4096 as number | null,
    layer_types: null as readonly string[] | null,
    final_logit_softcapping: 30 as number | null,
    attn_logit_softcapping: 50 as number | null,
    use_bidirectional_attention: null as boolean | null,
  },
  upgrade: (json) => layerTypes({ ...json, rope_parameters: readRope(json) }, 26, (i) => i % 2 === 0),
})
export type Gemma2Config = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

export class Gemma2Model extends DecoderModel<Gemma2Config> {
  static override readonly family: Family = family
  constructor(settings: Gemma2Config) {
    const { attention_bias: bias } = settings
    super(settings, {
      ...llamaTraits(settings),
      act: settings.hidden_activation,
      biases: { qkv: bias, output: bias },
      norm: 'rms-offset',
      sandwich: true,
      scale: settings.query_pre_attn_scalar ** -0.5,
      softcap: settings.attn_logit_softcapping,
      embedScale: Math.sqrt(settings.hidden_size),
      window: slidingWindow(settings),
      causal: !settings.use_bidirectional_attention,
    })
  }
}

export class Gemma2ForCausalLM extends CausalLanguageModel<Gemma2Config> {
  static override readonly family: Family = family
  constructor(settings: Gemma2Config) {
    super(settings, new Gemma2Model(settings), {
      ...causalOptions(settings),
      softcap: settings.final_logit_softcapping,
    })
  }
}

export class Gemma2ForSequenceClassification extends LastTokenClassifier<Gemma2Config> {
  static override readonly family: Family = family
  constructor(settings: Gemma2Config) {
    super(settings, new Gemma2Model(settings), settings.hidden_size)
  }
}

export class Gemma2ForTokenClassification extends ScoreTokens<Gemma2Config> {
  static override readonly family: Family = family
  constructor(settings: Gemma2Config) {
    super(settings, new Gemma2Model(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { Gemma2Model, Gemma2ForCausalLM, Gemma2ForSequenceClassification, Gemma2ForTokenClassification },
})
