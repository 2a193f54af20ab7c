/** DeepSeek-V3 (2024): latent attention, experts chosen by groups with a bias that no gradient trains. */
import { Module, torch } from '../nn/index.js'
import {
  add,
  cat,
  expand,
  gather,
  logicalNot,
  mul,
  Parameter,
  reshape,
  scatter,
  sigmoid,
  sum,
  type Tensor,
  topK,
  where,
  zeros,
} from '../tensor/index.js'
import { splitHeads } from './blocks/attention.js'
import { CausalLanguageModel, LastTokenClassifier, ScoreTokens } from './blocks/causal.js'
import { type DecoderContext, DecoderModel, GatedMlp } from './blocks/decoder.js'
import { Mixture, Router, shares, spreadWeights } from './blocks/moe.js'
import { type RopeParameters, readRope, rotate } from './blocks/rope.js'
import { causalOptions, llamaDefaults, llamaTraits } from './llama.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'deepseek_v3',
  defaults: {
    ...llamaDefaults,
    vocab_size: 129280,
    hidden_size: 7168,
    intermediate_size: 18432,
    moe_intermediate_size: 2048,
    num_hidden_layers: 61,
    num_attention_heads: 128,
    num_key_value_heads: 128 as number | null,
    n_shared_experts: 1,
    n_routed_experts: 256,
    routed_scaling_factor: 2.5,
    kv_lora_rank: 512,
    q_lora_rank: 1536 as number | null,
    qk_rope_head_dim: 64,
    v_head_dim: 128,
    qk_nope_head_dim: 128,
    n_group: 8,
    topk_group: 4,
    num_experts_per_tok: 8,
    first_k_dense_replace: 3,
    norm_topk_prob: true,
    max_position_embeddings: 4096,
    bos_token_id: 0 as number | null,
    eos_token_id: 1 as number | readonly number[] | null,
    rope_interleave: true,
  },
  aliases: { num_local_experts: 'n_routed_experts' },
  upgrade: (json) => {
    // null says: no low rank for queries.
    const full = json.q_lora_rank === null
    return { ...json, ...(full ? { q_lora_rank: 0 } : null), rope_parameters: readRope(json) }
  },
})
export type DeepseekV3Config = ConfigOf<typeof config>

const family: Family = { config, prefix: 'model', ignored: /(^|\.)model\.layers\.61\./ }

/** Factor of the scores, larger where positions are stretched. */
function scaleOf(settings: DeepseekV3Config): number {
  const rope = settings.rope_parameters as unknown as RopeParameters
  const plain = (settings.qk_nope_head_dim + settings.qk_rope_head_dim) ** -0.5
  const { mscale_all_dim: weight, factor } = rope
  if (rope.rope_type === 'default' || typeof weight !== 'number' || !weight || typeof factor !== 'number') return plain
  const stretch = factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1
  return plain * stretch * stretch
}

/** Attention whose keys and values come from one narrow vector a token. */
class LatentAttention extends Module {
  readonly q_proj: torch.Linear | null
  readonly q_a_proj: torch.Linear | null
  readonly q_a_layernorm: torch.RMSNorm | null
  readonly q_b_proj: torch.Linear | null
  readonly kv_a_proj_with_mqa: torch.Linear
  readonly kv_a_layernorm: torch.RMSNorm
  readonly kv_b_proj: torch.Linear
  readonly o_proj: torch.Linear

  constructor(
    private readonly settings: DeepseekV3Config,
    private readonly index: number,
  ) {
    super()
    const { hidden_size: width, num_attention_heads: heads, attention_bias: bias, kv_lora_rank: rank } = settings
    const { qk_nope_head_dim: plain, qk_rope_head_dim: turned, v_head_dim: valueDim, q_lora_rank: narrow } = settings
    const queries = heads * (plain + turned)
    const eps = 1e-6
    this.q_proj = narrow ? null : new torch.Linear(width, queries, { bias: false })
    this.q_a_proj = narrow ? new torch.Linear(width, narrow, { bias }) : null
    this.q_a_layernorm = narrow ? new torch.RMSNorm(narrow, { eps }) : null
    this.q_b_proj = narrow ? new torch.Linear(narrow, queries, { bias: false }) : null
    this.kv_a_proj_with_mqa = new torch.Linear(width, rank + turned, { bias })
    this.kv_a_layernorm = new torch.RMSNorm(rank, { eps })
    this.kv_b_proj = new torch.Linear(rank, heads * (plain + valueDim), { bias: false })
    this.o_proj = new torch.Linear(heads * valueDim, width, { bias })
  }

  private queries(x: Tensor): Tensor {
    if (this.q_proj) return this.q_proj.forward(x)
    const narrow = (this.q_a_layernorm as torch.RMSNorm).forward((this.q_a_proj as torch.Linear).forward(x))
    return (this.q_b_proj as torch.Linear).forward(narrow)
  }

  forward(x: Tensor, { cache, mask, attend, tables, recorder }: DecoderContext): Tensor {
    const { num_attention_heads: heads, kv_lora_rank: rank, rope_interleave: interleaved } = this.settings
    const { qk_nope_head_dim: plain, qk_rope_head_dim: turned, v_head_dim: valueDim } = this.settings
    const query = splitHeads(this.queries(x), heads)
    const latent = this.kv_a_proj_with_mqa.forward(x)
    const shared = latent.narrow(2, rank, turned).unsqueeze(1)
    const keysValues = splitHeads(this.kv_b_proj.forward(this.kv_a_layernorm.forward(latent.narrow(2, 0, rank))), heads)
    const rope = this.settings.rope_parameters as unknown as RopeParameters
    const [q, k] = rotate(tables(rope), interleaved, query.narrow(3, plain, turned), shared)
    const [batch, , tokens] = query.shape
    const queries = cat([query.narrow(3, 0, plain), q], 3)
    const keys = cat([keysValues.narrow(3, 0, plain), expand(k, [batch, heads, tokens, turned])], 3)
    const values = keysValues.narrow(3, plain, valueDim)
    const [allKeys, allValues] = cache ? cache.update(this.index, keys, values) : [keys, values]
    const dropout = this.training ? this.settings.attention_dropout : 0
    const options = { mask: mask(null), scale: scaleOf(this.settings), dropout, weights: recorder.wantsAttentions }
    const { output, weights } = attend(queries, allKeys, allValues, options)
    recorder.attention(weights)
    return this.o_proj.forward(output)
  }
}

class CorrectedRouter extends Router {
  readonly e_score_correction_bias: Parameter

  constructor(experts: number, width: number) {
    super(experts, width)
    this.e_score_correction_bias = new Parameter(zeros([experts]), { trainable: false })
  }
}

class SparseMlp extends Mixture {
  readonly shared_experts: GatedMlp

  constructor(private readonly settings: DeepseekV3Config) {
    const { hidden_size: width, moe_intermediate_size: inner, n_routed_experts: experts, hidden_act: act } = settings
    super({ width, inner, experts, act })
    this.shared_experts = new GatedMlp(width, inner * settings.n_shared_experts, act)
  }

  protected override router(experts: number, width: number): Router {
    return new CorrectedRouter(experts, width)
  }

  protected override weights(logits: Tensor): Tensor {
    const { n_routed_experts: experts, n_group: groups, topk_group: kept, num_experts_per_tok: k } = this.settings
    const scores = sigmoid(logits)
    const corrected = add(scores, (this.gate as CorrectedRouter).e_score_correction_bias)
    const tokens = scores.shape[0]
    const grouped = reshape(corrected, [tokens, groups, experts / groups])
    const best = sum(topK(grouped, 2).values, -1)
    const chosen = topK(best, kept).indices
    const open = scatter(zeros([tokens, groups]), 1, chosen, zeros(chosen.shape).add(1))
    const allowed = reshape(expand(open.unsqueeze(-1), [tokens, groups, experts / groups]), [tokens, experts])
    const { indices } = topK(where(logicalNot(allowed.ne(0)), Number.NEGATIVE_INFINITY, corrected), k)
    const picked = gather(scores, 1, indices)
    const values = this.settings.norm_topk_prob ? shares(picked, 1e-20) : picked
    return spreadWeights(mul(values, this.settings.routed_scaling_factor), indices, experts)
  }

  override forward(x: Tensor): Tensor {
    return add(super.forward(x), this.shared_experts.forward(x))
  }
}

export class DeepseekV3Model extends DecoderModel<DeepseekV3Config> {
  static override readonly family: Family = family
  constructor(settings: DeepseekV3Config) {
    const { qk_nope_head_dim: plain, qk_rope_head_dim: turned, v_head_dim: valueWidth } = settings
    super(settings, {
      ...llamaTraits(settings),
      // The rotated part alone.
      headDim: turned,
      attention: (i) => new LatentAttention(settings, i),
      cache: { heads: settings.num_attention_heads, keyWidth: plain + turned, valueWidth },
      mlp: (i) => (i >= settings.first_k_dense_replace ? new SparseMlp(settings) : null),
    })
  }
}

export class DeepseekV3ForCausalLM extends CausalLanguageModel<DeepseekV3Config> {
  static override readonly family: Family = family
  constructor(settings: DeepseekV3Config) {
    super(settings, new DeepseekV3Model(settings), causalOptions(settings))
  }
}

export class DeepseekV3ForSequenceClassification extends LastTokenClassifier<DeepseekV3Config> {
  static override readonly family: Family = family
  constructor(settings: DeepseekV3Config) {
    super(settings, new DeepseekV3Model(settings), settings.hidden_size)
  }
}

export class DeepseekV3ForTokenClassification extends ScoreTokens<DeepseekV3Config> {
  static override readonly family: Family = family
  constructor(settings: DeepseekV3Config) {
    super(settings, new DeepseekV3Model(settings), { width: settings.hidden_size, dropout: 0.1 })
  }
}

export default defineModels({
  config,
  classes: {
    DeepseekV3Model,
    DeepseekV3ForCausalLM,
    DeepseekV3ForSequenceClassification,
    DeepseekV3ForTokenClassification,
  },
})
