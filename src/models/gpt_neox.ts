/** GPT-NeoX and Pythia (Black et al. 2022): attention and feed-forward part beside each other, part of each head rotated. */
import { Module, torch } from '../nn/index.js'
import type { RotaryTables } from '../tensor/functional/index.js'
import { add, type Parameter, permute, reshape, type Tensor } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import type { CacheShape } from './blocks/cache.js'
import { LastTokenClassifier } from './blocks/causal.js'
import { type DecoderContext, decoderScope } from './blocks/decoder.js'
import { tokenVectors } from './blocks/embeddings.js'
import { EncoderModel, Headed, SpanFinder, TokenClassifier } from './blocks/heads.js'
import { causalLoss } from './blocks/losses.js'
import { lossOf, passed, Recorder } from './blocks/outputs.js'
import { type RopeParameters, readRope, ropeTables, rotate } from './blocks/rope.js'
import { type ConfigOf, defineConfig, type JsonObject } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'gpt_neox',
  defaults: {
    vocab_size: 50432,
    hidden_size: 6144,
    num_hidden_layers: 44,
    num_attention_heads: 64,
    intermediate_size: 24576,
    hidden_act: 'gelu',
    attention_dropout: 0,
    hidden_dropout: 0,
    classifier_dropout: 0.1,
    max_position_embeddings: 2048,
    initializer_range: 0.02,
    layer_norm_eps: 1e-5,
    bos_token_id: 0 as number | null,
    eos_token_id: 2 as number | readonly number[] | null,
    tie_word_embeddings: false,
    use_parallel_residual: true,
    rope_parameters: null as JsonObject | null,
    attention_bias: true,
  },
  upgrade: (json) => {
    const { rotary_pct: share = 0.25, rotary_emb_base: base = 10000 } = json
    return { ...json, rope_parameters: readRope(json, { theta: Number(base), share: Number(share) }) }
  },
})
export type GPTNeoXConfig = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'gpt_neox',
  keys: [{ drop: /\.attention\.(bias|masked_bias)$/ }],
}

class Attention extends Module {
  readonly query_key_value: torch.Linear
  readonly dense: torch.Linear

  constructor(
    private readonly settings: GPTNeoXConfig,
    private readonly index: number,
  ) {
    super()
    const { hidden_size: width, num_attention_heads: heads, attention_bias: bias } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.query_key_value = new torch.Linear(width, 3 * width, { bias })
    this.dense = new torch.Linear(width, width, { bias })
  }

  forward(x: Tensor, { cache, mask, attend, recorder }: Context, tables: RotaryTables): Tensor {
    const { num_attention_heads: heads, attention_dropout: p } = this.settings
    const [batch, tokens, width] = x.shape
    // Query, key and value of a head lie side by side.
    const together = permute(
      reshape(this.query_key_value.forward(x), [batch, tokens, heads, (3 * width) / heads]),
      [0, 2, 1, 3],
    )
    const [query, key, value] = together.chunk(3, -1)
    const [q, news] = rotate(tables, false, query, key)
    const [k, v] = cache ? cache.update(this.index, news, value) : [news, value]
    const options = { mask: mask(null), dropout: this.training ? p : 0, weights: recorder.wantsAttentions }
    const { output, weights } = attend(q, k, v, options)
    recorder.attention(weights)
    return this.dense.forward(output)
  }
}

type Context = Omit<DecoderContext, 'tables'>

class Mlp extends Module {
  readonly dense_h_to_4h: torch.Linear
  readonly dense_4h_to_h: torch.Linear
  readonly #act: ActivationFn

  constructor({ hidden_size: width, intermediate_size: inner, hidden_act: act }: GPTNeoXConfig) {
    super()
    this.dense_h_to_4h = new torch.Linear(width, inner)
    this.dense_4h_to_h = new torch.Linear(inner, width)
    this.#act = activation(act)
  }

  forward(x: Tensor): Tensor {
    return this.dense_4h_to_h.forward(this.#act(this.dense_h_to_4h.forward(x)))
  }
}

class Layer extends Module {
  readonly input_layernorm: torch.LayerNorm
  readonly post_attention_layernorm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly attention: Attention
  readonly mlp: Mlp

  constructor(
    private readonly settings: GPTNeoXConfig,
    index: number,
  ) {
    super()
    const { hidden_size: width, layer_norm_eps: eps } = settings
    this.input_layernorm = new torch.LayerNorm(width, { eps })
    this.post_attention_layernorm = new torch.LayerNorm(width, { eps })
    this.dropout = new torch.Dropout(settings.hidden_dropout)
    this.attention = new Attention(settings, index)
    this.mlp = new Mlp(settings)
  }

  forward(x: Tensor, context: Context, tables: RotaryTables): Tensor {
    const attended = this.dropout.forward(this.attention.forward(this.input_layernorm.forward(x), context, tables))
    const inner = (y: Tensor): Tensor =>
      this.dropout.forward(this.mlp.forward(this.post_attention_layernorm.forward(y)))
    if (this.settings.use_parallel_residual) return add(add(inner(x), attended), x)
    const middle = add(attended, x)
    return add(inner(middle), middle)
  }
}

export class GPTNeoXModel extends EncoderModel<GPTNeoXConfig> {
  static override readonly family: Family = family
  readonly embed_in: torch.Embedding
  readonly emb_dropout: torch.Dropout
  readonly layers: readonly Layer[]
  readonly final_layer_norm: torch.LayerNorm

  constructor(settings: GPTNeoXConfig) {
    super(settings)
    const { hidden_size: width, layer_norm_eps: eps } = settings
    this.embed_in = new torch.Embedding(settings.vocab_size, width)
    this.emb_dropout = new torch.Dropout(settings.hidden_dropout)
    this.layers = Array.from({ length: settings.num_hidden_layers }, (_, i) => new Layer(settings, i))
    this.final_layer_norm = new torch.LayerNorm(width, { eps })
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embed_in
  }

  override cacheShapes(): readonly CacheShape[] {
    const { hidden_size: width, num_attention_heads: heads } = this.config
    return this.layers.map(() => ({ heads, keyWidth: width / heads, valueWidth: width / heads }))
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const { hidden_size: width, num_attention_heads: heads, max_position_embeddings: maxPositions } = this.config
    const recorder = new Recorder(this.config, inputs)
    let x = this.emb_dropout.forward(tokenVectors(this.embed_in, inputs))
    const scope = decoderScope(inputs, x.shape[1], recorder)
    const rope = this.config.rope_parameters as unknown as RopeParameters
    const tables = ropeTables(scope.positions, rope, { headDim: width / heads, maxPositions, tokens: scope.keys })
    for (const layer of this.layers) {
      recorder.state(x)
      x = layer.forward(x, scope, tables)
    }
    x = this.final_layer_norm.forward(x)
    recorder.state(x)
    return { last_hidden_state: x, ...recorder.outputs, ...scope.finish() }
  }
}

/** Scores of the token that follows [B, T, V]; `labels` [B, T] are shifted by one. */
export class GPTNeoXForCausalLM extends Headed<GPTNeoXConfig> {
  static override readonly family: Family = family
  readonly embed_out: torch.Linear

  constructor(settings: GPTNeoXConfig) {
    super(settings, new GPTNeoXModel(settings))
    const weight = settings.tie_word_embeddings ? this.base.inputEmbeddings()?.weight : undefined
    this.embed_out = new torch.Linear(settings.hidden_size, settings.vocab_size, { bias: false, weight })
  }

  override vocabularyParameters(): readonly Parameter[] {
    return [this.embed_out.weight]
  }

  override cacheShapes(): readonly CacheShape[] | null {
    return this.base.cacheShapes()
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const logits = this.embed_out.forward(base.last_hidden_state)
    return { ...lossOf(inputs.labels, (labels) => causalLoss(logits, labels)), logits, ...passed(base) }
  }
}

export class GPTNeoXForSequenceClassification extends LastTokenClassifier<GPTNeoXConfig> {
  static override readonly family: Family = family
  constructor(settings: GPTNeoXConfig) {
    super(settings, new GPTNeoXModel(settings), settings.hidden_size)
  }
}

export class GPTNeoXForTokenClassification extends TokenClassifier<GPTNeoXConfig> {
  static override readonly family: Family = family
  constructor(settings: GPTNeoXConfig) {
    const { classifier_dropout: dropout, hidden_size: width, num_labels: labels } = settings
    super(settings, new GPTNeoXModel(settings), { dropout, width, labels })
  }
}

export class GPTNeoXForQuestionAnswering extends SpanFinder<GPTNeoXConfig> {
  static override readonly family: Family = family
  constructor(settings: GPTNeoXConfig) {
    super(settings, new GPTNeoXModel(settings), settings.hidden_size)
  }
}

export default defineModels({
  config,
  classes: {
    GPTNeoXModel,
    GPTNeoXForCausalLM,
    GPTNeoXForSequenceClassification,
    GPTNeoXForTokenClassification,
    GPTNeoXForQuestionAnswering,
  },
})
