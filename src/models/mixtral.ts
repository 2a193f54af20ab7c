/** Mixtral (Jiang et al. 2024): Mistral with mixtures of experts. */
import { softmax } from '../tensor/functional/index.js'
import { type Tensor, topK } from '../tensor/index.js'
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { Mixture, shares, spreadWeights } from './blocks/moe.js'
import { readRope } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'mixtral',
  defaults: {
    ...llamaDefaults,
    num_key_value_heads: 8 as number | null,
    intermediate_size: 14336,
    max_position_embeddings: 131072,
    sliding_window: null as number | null,
    rms_norm_eps: 1e-5,
    num_experts_per_tok: 2,
    num_local_experts: 8,
    output_router_logits: false,
    router_aux_loss_coef: 0.001,
  },
  aliases: { num_experts: 'num_local_experts' },
  upgrade: (json) => ({ ...json, rope_parameters: readRope(json, { theta: 1e6 }) }),
})
export type MixtralConfig = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'model',
  keys: [
    { rename: /\.block_sparse_moe\./, to: '.mlp.', back: [/\.mlp\./, '.block_sparse_moe.'] },
    { rename: /(\.experts\.\d+)\.w1\./, to: '$1.gate_proj.', back: [/(\.experts\.\d+)\.gate_proj\./, '$1.w1.'] },
    { rename: /(\.experts\.\d+)\.w2\./, to: '$1.down_proj.', back: [/(\.experts\.\d+)\.down_proj\./, '$1.w2.'] },
    { rename: /(\.experts\.\d+)\.w3\./, to: '$1.up_proj.', back: [/(\.experts\.\d+)\.up_proj\./, '$1.w3.'] },
  ],
}

/** The k likeliest experts of each token, by shares of their probabilities. */
class SparseMlp extends Mixture {
  constructor(private readonly settings: MixtralConfig) {
    const { hidden_size: width, intermediate_size: inner, num_local_experts: experts, hidden_act: act } = settings
    super({ width, inner, experts, act })
  }

  protected override weights(scores: Tensor): Tensor {
    const { num_experts_per_tok: k, num_local_experts: experts } = this.settings
    const { values, indices } = topK(softmax(scores, -1), k)
    return spreadWeights(shares(values), indices, experts)
  }
}

export class MixtralModel extends DecoderModel<MixtralConfig> {
  static override readonly family: Family = family
  constructor(settings: MixtralConfig) {
    super(settings, {
      ...llamaTraits(settings),
      window: () => settings.sliding_window,
      mlp: () => new SparseMlp(settings),
    })
  }
}

export class MixtralForCausalLM extends CausalLanguageModel<MixtralConfig> {
  static override readonly family: Family = family
  constructor(settings: MixtralConfig) {
    super(settings, new MixtralModel(settings), causalOptions(settings))
  }
}

export class MixtralForSequenceClassification extends LastTokenClassifier<MixtralConfig> {
  static override readonly family: Family = family
  constructor(settings: MixtralConfig) {
    super(settings, new MixtralModel(settings), settings.hidden_size)
  }
}

export class MixtralForTokenClassification extends ScoreTokens<MixtralConfig> {
  static override readonly family: Family = family
  constructor(settings: MixtralConfig) {
    super(settings, new MixtralModel(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { MixtralModel, MixtralForCausalLM, MixtralForSequenceClassification, MixtralForTokenClassification },
})
