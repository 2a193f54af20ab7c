/** GPT-2 (Radford et al. 2019). */
import { Module, torch } from '../nn/index.js'
import { add, type Tensor } from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { splitHeads } from './blocks/attention.js'
import type { CacheShape } from './blocks/cache.js'
import { CausalLanguageModel, LastTokenClassifier } from './blocks/causal.js'
import { Conv1D } from './blocks/conv1d.js'
import { type DecoderContext, decoderScope } from './blocks/decoder.js'
import { checkLength, embed, tokenVectors } from './blocks/embeddings.js'
import { EncoderModel, SpanFinder, TokenClassifier } from './blocks/heads.js'
import { Recorder } from './blocks/outputs.js'
import { type ConfigOf, defineConfig } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, ModelInputs } from './pretrained/io.js'
import type { Family } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'gpt2',
  defaults: {
    vocab_size: 50257,
    n_positions: 1024,
    n_embd: 768,
    n_layer: 12,
    n_head: 12,
    n_inner: null as number | null,
    activation_function: 'gelu_new',
    resid_pdrop: 0.1,
    embd_pdrop: 0.1,
    attn_pdrop: 0.1,
    layer_norm_epsilon: 1e-5,
    initializer_range: 0.02,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    add_cross_attention: false,
    classifier_dropout: null as number | null,
    hidden_dropout: null as number | null,
    bos_token_id: 50256 as number | null,
    eos_token_id: 50256 as number | readonly number[] | null,
  },
  aliases: {
    hidden_size: 'n_embd',
    max_position_embeddings: 'n_positions',
    num_attention_heads: 'n_head',
    num_hidden_layers: 'n_layer',
  },
})
export type GPT2Config = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'transformer',
  keys: [{ drop: /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/ }],
}

type Context = Omit<DecoderContext, 'tables'>

class Attention extends Module {
  readonly c_attn: Conv1D
  readonly c_proj: Conv1D
  readonly resid_dropout: torch.Dropout

  constructor(
    private readonly settings: GPT2Config,
    private readonly index: number,
  ) {
    super()
    const { n_embd: width, n_head: heads } = settings
    if (width % heads !== 0) throw new RangeError(`n_embd ${width} does not divide into ${heads} heads`)
    this.c_attn = new Conv1D(width, 3 * width)
    this.c_proj = new Conv1D(width, width)
    this.resid_dropout = new torch.Dropout(settings.resid_pdrop)
  }

  private get scale(): number {
    const {
      n_embd: width,
      n_head: heads,
      scale_attn_weights: scaled,
      scale_attn_by_inverse_layer_idx: deeper,
    } = this.settings
    return (scaled ? (width / heads) ** -0.5 : 1) / (deeper ? this.index + 1 : 1)
  }

  forward(x: Tensor, { cache, mask, attend, recorder }: Context): Tensor {
    const [q, news, value] = this.c_attn
      .forward(x)
      .chunk(3, -1)
      .map((part) => splitHeads(part, this.settings.n_head))
    const [k, v] = cache ? cache.update(this.index, news, value) : [news, value]
    const dropout = this.training ? this.settings.attn_pdrop : 0
    const options = { mask: mask(null), scale: this.scale, dropout, weights: recorder.wantsAttentions }
    const { output, weights } = attend(q, k, v, options)
    recorder.attention(weights)
    return this.resid_dropout.forward(this.c_proj.forward(output))
  }
}

class Mlp extends Module {
  readonly c_fc: Conv1D
  readonly c_proj: Conv1D
  readonly dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(settings: GPT2Config) {
    super()
    const { n_embd: width } = settings
    const inner = settings.n_inner ?? 4 * width
    this.c_fc = new Conv1D(width, inner)
    this.c_proj = new Conv1D(inner, width)
    this.dropout = new torch.Dropout(settings.resid_pdrop)
    this.#act = activation(settings.activation_function)
  }

  forward(x: Tensor): Tensor {
    return this.dropout.forward(this.c_proj.forward(this.#act(this.c_fc.forward(x))))
  }
}

class Block extends Module {
  readonly ln_1: torch.LayerNorm
  readonly attn: Attention
  readonly ln_2: torch.LayerNorm
  readonly mlp: Mlp

  constructor(settings: GPT2Config, index: number) {
    super()
    const { n_embd: width, layer_norm_epsilon: eps } = settings
    this.ln_1 = new torch.LayerNorm(width, { eps })
    this.attn = new Attention(settings, index)
    this.ln_2 = new torch.LayerNorm(width, { eps })
    this.mlp = new Mlp(settings)
  }

  forward(x: Tensor, context: Context): Tensor {
    const attended = add(x, this.attn.forward(this.ln_1.forward(x), context))
    return add(attended, this.mlp.forward(this.ln_2.forward(attended)))
  }
}

export class GPT2Model extends EncoderModel<GPT2Config> {
  static override readonly family: Family = family
  readonly wte: torch.Embedding
  readonly wpe: torch.Embedding
  readonly drop: torch.Dropout
  readonly h: readonly Block[]
  readonly ln_f: torch.LayerNorm

  constructor(settings: GPT2Config) {
    super(settings)
    if (settings.add_cross_attention) throw new RangeError('GPT-2 with cross-attention is not supported')
    const { n_embd: width, layer_norm_epsilon: eps } = settings
    this.wte = new torch.Embedding(settings.vocab_size, width)
    this.wpe = new torch.Embedding(settings.n_positions, width)
    this.drop = new torch.Dropout(settings.embd_pdrop)
    this.h = Array.from({ length: settings.n_layer }, (_, i) => new Block(settings, i))
    this.ln_f = new torch.LayerNorm(width, { eps })
  }

  override inputEmbeddings(): torch.Embedding {
    return this.wte
  }

  override cacheShapes(): readonly CacheShape[] {
    const { n_head: heads, n_embd: width } = this.config
    return this.h.map(() => ({ heads, keyWidth: width / heads, valueWidth: width / heads }))
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    const words = tokenVectors(this.wte, inputs)
    const scope = decoderScope(inputs, words.shape[1], recorder)
    checkLength(scope.keys, this.config.n_positions)
    const { token_type_ids: types } = inputs
    const placed = add(words, embed(this.wpe, scope.positions))
    let x = this.drop.forward(types === null || types === undefined ? placed : add(placed, embed(this.wte, types)))
    for (const block of this.h) {
      recorder.state(x)
      x = block.forward(x, scope)
    }
    x = this.ln_f.forward(x)
    recorder.state(x)
    return { last_hidden_state: x, ...recorder.outputs, ...scope.finish() }
  }
}

export class GPT2LMHeadModel extends CausalLanguageModel<GPT2Config> {
  static override readonly family: Family = family
  constructor(settings: GPT2Config) {
    super(settings, new GPT2Model(settings), { width: settings.n_embd, vocabSize: settings.vocab_size })
  }
}

export class GPT2ForSequenceClassification extends LastTokenClassifier<GPT2Config> {
  static override readonly family: Family = family
  constructor(settings: GPT2Config) {
    super(settings, new GPT2Model(settings), settings.n_embd)
  }
}

export class GPT2ForTokenClassification extends TokenClassifier<GPT2Config> {
  static override readonly family: Family = family
  constructor(settings: GPT2Config) {
    const dropout = settings.classifier_dropout ?? settings.hidden_dropout ?? 0.1
    super(settings, new GPT2Model(settings), { dropout, width: settings.n_embd, labels: settings.num_labels })
  }
}

export class GPT2ForQuestionAnswering extends SpanFinder<GPT2Config> {
  static override readonly family: Family = family
  constructor(settings: GPT2Config) {
    super(settings, new GPT2Model(settings), settings.n_embd)
  }
}

export default defineModels({
  config,
  classes: {
    GPT2Model,
    GPT2LMHeadModel,
    GPT2ForSequenceClassification,
    GPT2ForTokenClassification,
    GPT2ForQuestionAnswering,
  },
})
