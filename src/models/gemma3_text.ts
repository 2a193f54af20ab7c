/** Gemma 3 (2025), text only: norms of queries and keys, local and global layers with bases of their own. */
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { layerTypes, slidingWindow } from './blocks/layer-types.js'
import { type RopeParameters, ropeByLayer } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

/** Bases of the rotation by kind of layer, and the fields of older configs that hold them. */
const BASES = {
  full_attention: ['rope_theta', 1_000_000],
  sliding_attention: ['rope_local_base_freq', 10_000],
} as const

const config = defineConfig({
  model_type: 'gemma3_text',
  defaults: {
    ...llamaDefaults,
    vocab_size: 262208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4 as number | null,
    head_dim: 256 as number | null,
    hidden_activation: 'gelu_pytorch_tanh',
    max_position_embeddings: 131072,
    pad_token_id: 0 as number | null,
    eos_token_id: 1 as number | readonly number[] | null,
    bos_token_id: 2 as number | null,
    tie_word_embeddings: true,
    query_pre_attn_scalar: 256,
    sliding_window: 4096 as number | null,
    layer_types: null as readonly string[] | null,
    final_logit_softcapping: null as number | null,
    attn_logit_softcapping: null as number | null,
    use_bidirectional_attention: false as boolean | null,
  },
  upgrade: (json) => {
    const every = typeof json.sliding_window_pattern === 'number' ? json.sliding_window_pattern : 6
    return layerTypes({ ...json, rope_parameters: ropeByLayer(json, BASES) }, 26, (i) => (i + 1) % every !== 0)
  },
})
export type Gemma3TextConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

/** A window for both sides: half of it, and the token itself. */
const halved = (window: number | null): number | null => (window === null ? null : Math.floor(window / 2) + 1)

export class Gemma3TextModel extends DecoderModel<Gemma3TextConfig> {
  static override readonly family: Family = family
  constructor(settings: Gemma3TextConfig) {
    const { attention_bias: bias } = settings
    const bothWays = settings.use_bidirectional_attention ?? false
    const rope = settings.rope_parameters as unknown as Readonly<Record<string, RopeParameters>>
    super(settings, {
      ...llamaTraits(settings),
      act: settings.hidden_activation,
      biases: { qkv: bias, output: bias },
      norm: 'rms-offset',
      sandwich: true,
      qkNorm: true,
      rope: (i) => rope[settings.layer_types?.[i] ?? 'full_attention'],
      scale: settings.query_pre_attn_scalar ** -0.5,
      softcap: settings.attn_logit_softcapping,
      embedScale: Math.sqrt(settings.hidden_size),
      window: slidingWindow(bothWays ? { ...settings, sliding_window: halved(settings.sliding_window) } : settings),
      causal: !bothWays,
    })
  }
}

export class Gemma3ForCausalLM extends CausalLanguageModel<Gemma3TextConfig> {
  static override readonly family: Family = family
  constructor(settings: Gemma3TextConfig) {
    super(settings, new Gemma3TextModel(settings), {
      ...causalOptions(settings),
      softcap: settings.final_logit_softcapping,
    })
  }
}

export class Gemma3TextForSequenceClassification extends LastTokenClassifier<Gemma3TextConfig> {
  static override readonly family: Family = family
  constructor(settings: Gemma3TextConfig) {
    super(settings, new Gemma3TextModel(settings), settings.hidden_size)
  }
}

export class Gemma3ForTokenClassification extends ScoreTokens<Gemma3TextConfig> {
  static override readonly family: Family = family
  constructor(settings: Gemma3TextConfig) {
    super(settings, new Gemma3TextModel(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { Gemma3TextModel, Gemma3ForCausalLM, Gemma3TextForSequenceClassification, Gemma3ForTokenClassification },
})
