/** Encoders and decoders of BART's kind (Lewis et al. 2020). Shapes: B batch, S source tokens, T target tokens, H features. */
import { Module, torch } from '../../nn/index.js'
import { add, mul, Parameter, type Tensor, zeros } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { BaseModelOutput, LogitsOutput, ModelInputs } from '../pretrained/io.js'
import { type ActivationFn, activation } from './activations.js'
import { attend, splitHeads } from './attention.js'
import type { CacheShape, KeyValueCache } from './cache.js'
import { keysOf } from './decoder.js'
import { tokenVectors } from './embeddings.js'
import { EncoderModel, Headed } from './heads.js'
import { tokenLoss } from './losses.js'
import { both, causalMask, keyMask, type Mask } from './masks.js'
import { lossOf, Recorder } from './outputs.js'
import type { Places } from './positions.js'
import { decoderFields, encoderFields, passedSeq2Seq, sourceInputs, targetInputs } from './seq2seq.js'

export interface BartFields {
  readonly d_model: number
  readonly encoder_layers: number
  readonly decoder_layers: number
  readonly encoder_attention_heads: number
  readonly decoder_attention_heads: number
  readonly encoder_ffn_dim: number
  readonly decoder_ffn_dim: number
  readonly activation_function: string
  readonly dropout: number
  readonly attention_dropout: number
  readonly activation_dropout: number
  readonly scale_embedding: boolean
}

export type BartLike = BaseConfig & BartFields

/** What sets families apart. */
export interface BartTraits {
  /** Norms stand before the parts, and one at the end of each stack. */
  readonly preNorm: boolean
  /** A norm of the embeddings. */
  readonly embedNorm: boolean
  /** Biases of the maps to keys; default true. */
  readonly keyBias?: boolean
  readonly places: (side: 'encoder' | 'decoder') => Places
}

/** What all layers of a stack share in one pass. */
interface Shared {
  readonly recorder: Recorder
  readonly mask: Mask
  readonly cache: KeyValueCache | null
  readonly source: Tensor | null
  readonly sourceMask: Mask
}

export class BartAttention extends Module {
  readonly k_proj: torch.Linear
  readonly v_proj: torch.Linear
  readonly q_proj: torch.Linear
  readonly out_proj: torch.Linear

  constructor(
    width: number,
    private readonly heads: number,
    private readonly p: number,
    keyBias = true,
  ) {
    super()
    if (width % heads !== 0) throw new RangeError(`d_model ${width} does not divide into ${heads} heads`)
    this.k_proj = new torch.Linear(width, width, { bias: keyBias })
    this.v_proj = new torch.Linear(width, width)
    this.q_proj = new torch.Linear(width, width)
    this.out_proj = new torch.Linear(width, width)
  }

  keysValues(states: Tensor): [Tensor, Tensor] {
    return [splitHeads(this.k_proj.forward(states), this.heads), splitHeads(this.v_proj.forward(states), this.heads)]
  }

  attend(x: Tensor, [k, v]: readonly [Tensor, Tensor], mask: Mask, wanted: boolean) {
    const dropout = this.training ? this.p : 0
    const { output, weights } = attend(splitHeads(this.q_proj.forward(x), this.heads), k, v, {
      mask,
      dropout,
      weights: wanted,
    })
    return { output: this.out_proj.forward(output), weights }
  }
}

/** A layer of either stack; the decoder's also attends to the source. */
class BartLayer extends Module {
  readonly self_attn: BartAttention
  readonly self_attn_layer_norm: torch.LayerNorm
  readonly encoder_attn: BartAttention | null
  readonly encoder_attn_layer_norm: torch.LayerNorm | null
  readonly fc1: torch.Linear
  readonly fc2: torch.Linear
  readonly final_layer_norm: torch.LayerNorm
  readonly dropout: torch.Dropout
  readonly activation_dropout: torch.Dropout
  readonly #act: ActivationFn

  constructor(
    settings: BartLike,
    private readonly traits: BartTraits,
    private readonly index: number,
    decoder: boolean,
  ) {
    super()
    const { d_model: width, attention_dropout: p } = settings
    const heads = decoder ? settings.decoder_attention_heads : settings.encoder_attention_heads
    const inner = decoder ? settings.decoder_ffn_dim : settings.encoder_ffn_dim
    const attention = (): BartAttention => new BartAttention(width, heads, p, traits.keyBias)
    this.self_attn = attention()
    this.self_attn_layer_norm = new torch.LayerNorm(width)
    this.encoder_attn = decoder ? attention() : null
    this.encoder_attn_layer_norm = decoder ? new torch.LayerNorm(width) : null
    this.fc1 = new torch.Linear(width, inner)
    this.fc2 = new torch.Linear(inner, width)
    this.final_layer_norm = new torch.LayerNorm(width)
    this.dropout = new torch.Dropout(settings.dropout)
    this.activation_dropout = new torch.Dropout(settings.activation_dropout)
    this.#act = activation(settings.activation_function)
  }

  /** A part with its sum and norm, before or after. */
  private around(x: Tensor, norm: torch.LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    if (this.traits.preNorm) return add(x, this.dropout.forward(part(norm.forward(x))))
    return norm.forward(add(x, this.dropout.forward(part(x))))
  }

  forward(x: Tensor, shared: Shared): Tensor {
    const { recorder, cache, mask, source, sourceMask } = shared
    const wanted = recorder.wantsAttentions
    let states = this.around(x, this.self_attn_layer_norm, (y) => {
      const news = this.self_attn.keysValues(y)
      const { output, weights } = this.self_attn.attend(
        y,
        cache ? cache.update(this.index, ...news) : news,
        mask,
        wanted,
      )
      recorder.attention(weights)
      return output
    })
    const { encoder_attn: crossing, encoder_attn_layer_norm: norm } = this
    if (crossing && norm && source) {
      states = this.around(states, norm, (y) => {
        const compute = (): [Tensor, Tensor] => crossing.keysValues(source)
        const known = cache ? cache.cross(this.index, compute) : compute()
        const { output, weights } = crossing.attend(y, known, sourceMask, wanted)
        recorder.crossAttention(weights)
        return output
      })
    }
    return this.around(states, this.final_layer_norm, (y) =>
      this.fc2.forward(this.activation_dropout.forward(this.#act(this.fc1.forward(y)))),
    )
  }
}

/** The layers of a stack and the norm at their end. */
export class BartStack extends Module {
  readonly layers: readonly BartLayer[]
  readonly layer_norm: torch.LayerNorm | null

  constructor(settings: BartLike, traits: BartTraits, decoder: boolean) {
    super()
    const count = decoder ? settings.decoder_layers : settings.encoder_layers
    this.layers = Array.from({ length: count }, (_, i) => new BartLayer(settings, traits, i, decoder))
    this.layer_norm = traits.preNorm ? new torch.LayerNorm(settings.d_model) : null
  }

  protected through(embedded: Tensor, shared: Shared): Tensor {
    let x = embedded
    for (const layer of this.layers) {
      shared.recorder.state(x)
      x = layer.forward(x, shared)
    }
    if (this.layer_norm) x = this.layer_norm.forward(x)
    shared.recorder.state(x)
    return x
  }
}

/** A stack over tokens: the encoder, or the decoder where `source` states are given. */
export class BartTextStack extends BartStack {
  readonly embed_tokens: torch.Embedding
  readonly embed_positions: Places
  readonly layernorm_embedding: torch.LayerNorm | null
  readonly dropout: torch.Dropout
  readonly #scale: number

  constructor(
    settings: BartLike,
    traits: BartTraits,
    tokens: torch.Embedding,
    private readonly decoder: boolean,
  ) {
    super(settings, traits, decoder)
    this.embed_tokens = tokens
    this.embed_positions = traits.places(decoder ? 'decoder' : 'encoder')
    this.layernorm_embedding = traits.embedNorm ? new torch.LayerNorm(settings.d_model) : null
    this.dropout = new torch.Dropout(settings.dropout)
    this.#scale = settings.scale_embedding ? Math.sqrt(settings.d_model) : 1
  }

  forward(inputs: ModelInputs, recorder: Recorder, source: Tensor | null = null, sourceMask: Mask = null): Tensor {
    const cache = inputs.past_key_values ?? null
    const vectors = tokenVectors(this.embed_tokens, inputs)
    const words = this.#scale === 1 || inputs.inputs_embeds ? vectors : mul(vectors, this.#scale)
    const tokens = words.shape[1]
    const start = cache ? cache.length.value : 0
    const placed = add(words, this.embed_positions.forward({ inputs, tokens, start }))
    const embedded = this.dropout.forward(this.layernorm_embedding ? this.layernorm_embedding.forward(placed) : placed)
    const keys = cache?.capacity ?? tokens
    const given = keysOf(inputs.attention_mask, keys)
    const mask = this.decoder ? both(given, causalMask(tokens, keys, start)) : given
    const states = this.through(embedded, { recorder, mask, cache, source, sourceMask })
    cache?.advance(tokens)
    return states
  }
}

/** Encoder and decoder; `last_hidden_state` is the decoder's. */
export abstract class Seq2SeqModel<C extends BartLike> extends EncoderModel<C> {
  abstract readonly decoder: BartTextStack

  /** States of the source, with what was recorded on the way. */
  protected abstract source(inputs: ModelInputs, recorder: Recorder): Tensor

  /** Which of the source's states count. */
  protected sourceMask(inputs: ModelInputs): Mask {
    return keyMask(inputs.attention_mask)
  }

  override encode(inputs: ModelInputs): Tensor {
    return this.source(inputs, new Recorder(this.config, {}))
  }

  override cacheShapes(): readonly CacheShape[] {
    const { decoder_attention_heads: heads, d_model: width } = this.config
    return this.decoder.layers.map(() => ({ heads, keyWidth: width / heads, valueWidth: width / heads }))
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const given = inputs.encoder_outputs?.last_hidden_state
    const recorder = given ? null : new Recorder(this.config, inputs)
    const source = given ?? this.source(inputs, recorder as Recorder)
    const own = new Recorder(this.config, inputs, true)
    const target = targetInputs(inputs, this.config)
    const last_hidden_state = this.decoder.forward(target, own, source, this.sourceMask(inputs))
    const cache = inputs.past_key_values ? { past_key_values: inputs.past_key_values } : {}
    return { last_hidden_state, ...encoderFields(source, recorder), ...decoderFields(own), ...cache }
  }
}

/** A {@link Seq2SeqModel} from text to text, over shared vectors of tokens. */
export abstract class TextToText<C extends BartLike> extends Seq2SeqModel<C> {
  readonly shared: torch.Embedding
  readonly encoder: BartTextStack
  readonly decoder: BartTextStack

  constructor(settings: C, vocabSize: number, traits: BartTraits) {
    super(settings)
    const paddingIdx = settings.pad_token_id ?? undefined
    this.shared = new torch.Embedding(vocabSize, settings.d_model, { paddingIdx })
    this.encoder = new BartTextStack(settings, traits, this.shared, false)
    this.decoder = new BartTextStack(settings, traits, this.shared, true)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.shared
  }

  protected override source(inputs: ModelInputs, recorder: Recorder): Tensor {
    return this.encoder.forward(sourceInputs(inputs), recorder)
  }
}

/** Scores of the target's tokens [B, T, V]; `labels` [B, T], -100 where a token does not count. */
export abstract class ConditionalGeneration<C extends BartLike> extends Headed<C, Seq2SeqModel<C>> {
  readonly final_logits_bias: Parameter | null
  readonly lm_head: torch.Linear

  constructor(config: C, base: Seq2SeqModel<C>, { vocabSize, biased }: { vocabSize: number; biased: boolean }) {
    super(config, base)
    this.final_logits_bias = biased ? new Parameter(zeros([1, vocabSize]), { trainable: false }) : null
    const weight = config.tie_word_embeddings ? base.decoder.embed_tokens.weight : undefined
    this.lm_head = new torch.Linear(config.d_model, vocabSize, { bias: false, weight })
  }

  override vocabularyParameters(): readonly Parameter[] {
    return [this.lm_head.weight]
  }

  override encode(inputs: ModelInputs): Tensor {
    return this.base.encode(inputs)
  }

  override cacheShapes(): readonly CacheShape[] {
    return this.base.cacheShapes()
  }

  override forward(inputs: ModelInputs): LogitsOutput {
    const base = this.base.forward(inputs)
    const scores = this.lm_head.forward(base.last_hidden_state)
    const logits = this.final_logits_bias ? add(scores, this.final_logits_bias) : scores
    return { ...lossOf(inputs.labels, (labels) => tokenLoss(logits, labels)), logits, ...passedSeq2Seq(base) }
  }
}
