/** Qwen3 with mixtures of experts (Yang et al. 2025). */
import { softmax } from '../tensor/functional/index.js'
import { type Tensor, topK } from '../tensor/index.js'
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { DecoderModel } from './blocks/decoder.js'
import { slidingWindow } from './blocks/layer-types.js'
import { Mixture, shares, spreadWeights } from './blocks/moe.js'
import { readRope } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'qwen3_moe',
  defaults: {
    ...llamaDefaults,
    vocab_size: 151936,
    intermediate_size: 6144,
    num_key_value_heads: 4 as number | null,
    max_position_embeddings: 32768,
    bos_token_id: null as number | null,
    eos_token_id: null as number | readonly number[] | null,
    use_sliding_window: false,
    sliding_window: 4096 as number | null,
    max_window_layers: 28,
    layer_types: null as readonly string[] | null,
    hidden_size: 2048,
    num_hidden_layers: 24,
    decoder_sparse_step: 1,
    moe_intermediate_size: 768,
    num_experts_per_tok: 8,
    num_experts: 128,
    norm_topk_prob: false,
    output_router_logits: false,
    router_aux_loss_coef: 0.001,
    mlp_only_layers: null as readonly number[] | null,
  },
  aliases: { num_local_experts: 'num_experts' },
  upgrade: (json) => ({ ...json, rope_parameters: readRope(json) }),
})
export type Qwen3MoeConfig = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model' }

const sparse = (
  { mlp_only_layers: dense, num_experts: experts, decoder_sparse_step: step }: Qwen3MoeConfig,
  i: number,
): boolean => !dense?.includes(i) && experts > 0 && (i + 1) % step === 0

/** The k likeliest experts of each token, by shares of probability. */
class SparseMlp extends Mixture {
  constructor(private readonly settings: Qwen3MoeConfig) {
    const { hidden_size: width, moe_intermediate_size: inner, num_experts: experts, hidden_act: act } = settings
    super({ width, inner, experts, act })
  }

  protected override weights(scores: Tensor): Tensor {
    const { num_experts_per_tok: k, num_experts: experts, norm_topk_prob: normed } = this.settings
    const { values, indices } = topK(softmax(scores, -1), k)
    return spreadWeights(normed ? shares(values) : values, indices, experts)
  }
}

export class Qwen3MoeModel extends DecoderModel<Qwen3MoeConfig> {
  static override readonly family: Family = family
  constructor(settings: Qwen3MoeConfig) {
    const { attention_bias: bias } = settings
    super(settings, {
      ...llamaTraits(settings),
      biases: { qkv: bias, output: bias },
      qkNorm: true,
      mlp: (i) => (sparse(settings, i) ? new SparseMlp(settings) : null),
      window: slidingWindow(settings),
    })
  }
}

export class Qwen3MoeForCausalLM extends CausalLanguageModel<Qwen3MoeConfig> {
  static override readonly family: Family = family
  constructor(settings: Qwen3MoeConfig) {
    super(settings, new Qwen3MoeModel(settings), causalOptions(settings))
  }
}

export class Qwen3MoeForSequenceClassification extends LastTokenClassifier<Qwen3MoeConfig> {
  static override readonly family: Family = family
  constructor(settings: Qwen3MoeConfig) {
    super(settings, new Qwen3MoeModel(settings), settings.hidden_size)
  }
}

export class Qwen3MoeForTokenClassification extends ScoreTokens<Qwen3MoeConfig> {
  static override readonly family: Family = family
  constructor(settings: Qwen3MoeConfig) {
    super(settings, new Qwen3MoeModel(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: { Qwen3MoeModel, Qwen3MoeForCausalLM, Qwen3MoeForSequenceClassification, Qwen3MoeForTokenClassification },
})
