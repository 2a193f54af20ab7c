/** Llama (Touvron et al. 2023). */
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel, type DecoderTraits } from './blocks/decoder.js'
import { type RopeParameters, readRope } from './blocks/rope.js'
import { type ConfigOf, defineConfig, type JsonObject } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

export const llamaDefaults = {
  vocab_size: 32000,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: null as number | null,
  head_dim: null as number | null,
  hidden_act: 'silu',
  max_position_embeddings: 2048,
  initializer_range: 0.02,
  rms_norm_eps: 1e-6,
  pad_token_id: null as number | null,
  bos_token_id: 1 as number | null,
  eos_token_id: 2 as number | readonly number[] | null,
  tie_word_embeddings: false,
  rope_parameters: null as JsonObject | null,
  attention_bias: false,
  attention_dropout: 0,
  mlp_bias: false,
}

const config = defineConfig({
  model_type: 'llama',
  defaults: llamaDefaults,
  upgrade: (json) => ({ ...json, rope_parameters: readRope(json) }),
})
export type LlamaConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

/** Fields that decoders of Llama's kind have in common. */
export type LlamaLike = Pick<
  LlamaConfig,
  | 'vocab_size'
  | 'hidden_size'
  | 'intermediate_size'
  | 'num_hidden_layers'
  | 'num_attention_heads'
  | 'num_key_value_heads'
  | 'head_dim'
  | 'hidden_act'
  | 'max_position_embeddings'
  | 'rms_norm_eps'
  | 'pad_token_id'
  | 'rope_parameters'
  | 'attention_dropout'
>

export const llamaTraits = (settings: LlamaLike): DecoderTraits => {
  const { num_attention_heads: heads, hidden_size: width } = settings
  const rope = settings.rope_parameters as unknown as RopeParameters
  return {
    vocabSize: settings.vocab_size,
    width,
    layers: settings.num_hidden_layers,
    heads,
    keyHeads: settings.num_key_value_heads ?? heads,
    headDim: settings.head_dim ?? Math.trunc(width / heads),
    inner: settings.intermediate_size,
    maxPositions: settings.max_position_embeddings,
    padding: settings.pad_token_id,
    act: settings.hidden_act,
    eps: settings.rms_norm_eps,
    dropout: settings.attention_dropout,
    rope: () => rope,
  }
}

export class LlamaModel extends DecoderModel<LlamaConfig> {
  static override readonly family: Family = family
  constructor(settings: LlamaConfig) {
    const { attention_bias: bias, mlp_bias: mlp } = settings
    super(settings, { ...llamaTraits(settings), biases: { qkv: bias, output: bias, mlp } })
  }
}

export const causalOptions = ({
  hidden_size: width,
  vocab_size: vocabSize,
}: {
  hidden_size: number
  vocab_size: number
}) => ({
  width,
  vocabSize,
})

export class LlamaForCausalLM extends CausalLanguageModel<LlamaConfig> {
  static override readonly family: Family = family
  constructor(settings: LlamaConfig) {
    super(settings, new LlamaModel(settings), causalOptions(settings))
  }
}

export class LlamaForSequenceClassification extends LastTokenClassifier<LlamaConfig> {
  static override readonly family: Family = family
  constructor(settings: LlamaConfig) {
    super(settings, new LlamaModel(settings), settings.hidden_size)
  }
}

export class LlamaForTokenClassification extends ScoreTokens<LlamaConfig> {
  static override readonly family: Family = family
  constructor(settings: LlamaConfig) {
    super(settings, new LlamaModel(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { LlamaModel, LlamaForCausalLM, LlamaForSequenceClassification, LlamaForTokenClassification },
})
