/**
 * Decoders of Llama's kind (Touvron et al. 2023): pre-norm layers, rotary positions, grouped queries, gated feed-forward layers. Families
 * state what sets them apart as {@link DecoderTraits}. Shapes: B batch, T new tokens, S keys, H features.
 */
import { Module, torch } from '../../nn/index.js'
import { dropout, type RotaryTables, rmsNorm, softmax } from '../../tensor/functional/index.js'
import {
  add,
  any,
  asTensor,
  matmul,
  mul,
  Parameter,
  stopGradient,
  type Tensor,
  tanh,
  transpose,
  where,
  zeros,
} from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { BaseModelOutput, ModelInputs } from '../pretrained/io.js'
import { type ActivationFn, activation } from './activations.js'
import { type Attended, attend, attendSeeing, joinHeads, repeatHeads, splitHeads } from './attention.js'
import type { CacheShape, KeyValueCache } from './cache.js'
import { tokenVectors } from './embeddings.js'
import { EncoderModel } from './heads.js'
import { both, causalMask, keyMask, LOWEST, localMask, type Mask } from './masks.js'
import { Recorder } from './outputs.js'
import { type RopeParameters, ropeTables, rotate } from './rope.js'

export interface DecoderTraits {
  readonly vocabSize: number
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly keyHeads: number
  readonly headDim: number
  readonly inner: number
  readonly maxPositions: number
  readonly padding: number | null
  readonly act: string
  readonly eps: number
  readonly dropout: number
  /** Biases of the maps to queries, keys and values; of the map back; of the feed-forward maps. */
  readonly biases?: { readonly qkv?: boolean; readonly output?: boolean; readonly mlp?: boolean }
  /** Norms of queries and keys, head by head. */
  readonly qkNorm?: boolean
  /** Norm weights are stored less 1 (Gemma). */
  readonly norm?: 'rms' | 'rms-offset'
  /** Norms after attention and feed-forward too (Gemma 2). */
  readonly sandwich?: boolean
  /** Factor of the scores; default 1 / sqrt(headDim). */
  readonly scale?: number
  /** Scores are limited to +- this by tanh. */
  readonly softcap?: number | null
  /** Factor of the token vectors. */
  readonly embedScale?: number
  /** Keys that layer `i` sees at most. */
  readonly window?: (i: number) => number | null
  readonly rope: (i: number) => RopeParameters
  /** Another feed-forward part for layer `i`. */
  readonly mlp?: (i: number) => FeedForward | null
  readonly causal?: boolean
  /** Another attention for layer `i`, and what it keeps. */
  readonly attention?: (i: number) => AttentionPart
  readonly cache?: CacheShape
}

export type AttentionPart = Module & { forward(x: Tensor, context: DecoderContext): Tensor }

export type FeedForward = Module & { forward(x: Tensor): Tensor }

/** Root mean square norm whose weight is stored less 1. */
class OffsetNorm extends Module {
  readonly weight: Parameter

  constructor(
    private readonly width: number,
    private readonly eps: number,
  ) {
    super()
    this.weight = new Parameter(zeros([width]))
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.width, { weight: add(this.weight, 1), eps: this.eps })
  }
}

type Norm = Module & { forward(x: Tensor): Tensor }

const normOf = ({ norm, eps }: DecoderTraits, width: number): Norm =>
  norm === 'rms-offset' ? new OffsetNorm(width, eps) : new torch.RMSNorm(width, { eps })

/** down(act(gate(x)) * up(x)). */
export class GatedMlp extends Module {
  readonly gate_proj: torch.Linear
  readonly up_proj: torch.Linear
  readonly down_proj: torch.Linear
  readonly #act: ActivationFn

  constructor(width: number, inner: number, act: string, bias = false) {
    super()
    this.gate_proj = new torch.Linear(width, inner, { bias })
    this.up_proj = new torch.Linear(width, inner, { bias })
    this.down_proj = new torch.Linear(inner, width, { bias })
    this.#act = activation(act)
  }

  forward(x: Tensor): Tensor {
    return this.down_proj.forward(mul(this.#act(this.gate_proj.forward(x)), this.up_proj.forward(x)))
  }
}

/** What all layers of a pass share. */
export interface DecoderContext {
  readonly recorder: Recorder
  readonly cache: KeyValueCache | null
  readonly mask: (window: number | null) => Mask
  readonly attend: typeof attend
  readonly tables: (rope: RopeParameters) => RotaryTables
}

/** Scores with those out of sight at the lowest number; queries that see nothing look at every key alike (see attendSeeing). */
function hidden(scores: Tensor, mask: Tensor): Tensor {
  const sees = any(mask, -1, { keepdim: true })
  const level = scores.sub(stopGradient(scores))
  return where(sees, where(mask, scores, -LOWEST), level)
}

/** Attention with scores limited by tanh: written out, since limits come between product and mask. */
function attendCapped(q: Tensor, k: Tensor, v: Tensor, mask: Mask, scale: number, cap: number, p: number): Attended {
  const times = q.shape[1] / k.shape[1]
  const scores = mul(tanh(mul(matmul(mul(q, scale), transpose(repeatHeads(k, times))), 1 / cap)), cap)
  const weights = softmax(mask ? hidden(scores, mask) : scores, -1)
  const kept = p > 0 ? dropout(weights, { p }) : weights
  return { output: joinHeads(matmul(kept, repeatHeads(v, times))), weights: kept }
}

class Attention extends Module {
  readonly q_proj: torch.Linear
  readonly k_proj: torch.Linear
  readonly v_proj: torch.Linear
  readonly o_proj: torch.Linear
  readonly q_norm: Norm | null
  readonly k_norm: Norm | null

  constructor(
    private readonly traits: DecoderTraits,
    private readonly index: number,
  ) {
    super()
    const { width, heads, keyHeads, headDim, biases } = traits
    if (heads % keyHeads !== 0) throw new RangeError(`${heads} heads do not divide into ${keyHeads} key heads`)
    const bias = biases?.qkv ?? false
    this.q_proj = new torch.Linear(width, heads * headDim, { bias })
    this.k_proj = new torch.Linear(width, keyHeads * headDim, { bias })
    this.v_proj = new torch.Linear(width, keyHeads * headDim, { bias })
    this.o_proj = new torch.Linear(heads * headDim, width, { bias: biases?.output ?? false })
    this.q_norm = traits.qkNorm ? normOf(traits, headDim) : null
    this.k_norm = traits.qkNorm ? normOf(traits, headDim) : null
  }

  forward(x: Tensor, context: DecoderContext): Tensor {
    const { heads, keyHeads, headDim, softcap } = this.traits
    const normed = (part: Tensor, norm: Norm | null): Tensor => (norm ? norm.forward(part) : part)
    const queries = normed(splitHeads(this.q_proj.forward(x), heads), this.q_norm)
    const news = normed(splitHeads(this.k_proj.forward(x), keyHeads), this.k_norm)
    const [q, turned] = rotate(context.tables(this.traits.rope(this.index)), false, queries, news)
    const value = splitHeads(this.v_proj.forward(x), keyHeads)
    const [k, v] = context.cache ? context.cache.update(this.index, turned, value) : [turned, value]
    const mask = context.mask(this.traits.window?.(this.index) ?? null)
    const scale = this.traits.scale ?? 1 / Math.sqrt(headDim)
    const p = this.training ? this.traits.dropout : 0
    const { output, weights } = softcap
      ? attendCapped(q, k, v, mask, scale, softcap, p)
      : context.attend(q, k, v, { mask, scale, dropout: p, weights: context.recorder.wantsAttentions })
    if (context.recorder.wantsAttentions) context.recorder.attention(weights)
    return this.o_proj.forward(output)
  }
}

class DecoderLayer extends Module {
  readonly self_attn: AttentionPart
  readonly mlp: FeedForward
  readonly input_layernorm: Norm
  readonly post_attention_layernorm: Norm
  readonly pre_feedforward_layernorm: Norm | null
  readonly post_feedforward_layernorm: Norm | null

  constructor(traits: DecoderTraits, index: number) {
    super()
    const { width, inner, act, biases, sandwich } = traits
    this.self_attn = traits.attention?.(index) ?? new Attention(traits, index)
    this.mlp = traits.mlp?.(index) ?? new GatedMlp(width, inner, act, biases?.mlp)
    this.input_layernorm = normOf(traits, width)
    this.post_attention_layernorm = normOf(traits, width)
    this.pre_feedforward_layernorm = sandwich ? normOf(traits, width) : null
    this.post_feedforward_layernorm = sandwich ? normOf(traits, width) : null
  }

  forward(x: Tensor, context: DecoderContext): Tensor {
    const attended = this.self_attn.forward(this.input_layernorm.forward(x), context)
    if (!this.pre_feedforward_layernorm || !this.post_feedforward_layernorm) {
      const middle = add(x, attended)
      return add(middle, this.mlp.forward(this.post_attention_layernorm.forward(middle)))
    }
    const middle = add(x, this.post_attention_layernorm.forward(attended))
    const inner = this.mlp.forward(this.pre_feedforward_layernorm.forward(middle))
    return add(middle, this.post_feedforward_layernorm.forward(inner))
  }
}

/** Values by key, made when first asked for. */
export function memoised<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<string, V>()
  return (key) => {
    const text = JSON.stringify(key)
    const value = made.get(text) ?? make(key)
    made.set(text, value)
    return value
  }
}

/** A mask over the keys, stretched with true to the capacity of a cache: what lies ahead is hidden by causality. */
export function keysOf(attentionMask: ModelInputs['attention_mask'], keys: number): Mask {
  const mask = keyMask(attentionMask)
  if (!mask || mask.shape[3] === keys || mask.shape[3] === 1) return mask
  return mask
    .to('i32')
    .pad([0, keys - mask.shape[3]], { value: 1 })
    .ne(0)
}

/** A base model of this kind; subclasses say their traits. */
export abstract class DecoderModel<C extends BaseConfig> extends EncoderModel<C> {
  readonly embed_tokens: torch.Embedding
  readonly layers: readonly DecoderLayer[]
  readonly norm: Norm
  readonly #traits: DecoderTraits

  constructor(settings: C, traits: DecoderTraits) {
    super(settings)
    this.#traits = traits
    this.embed_tokens = new torch.Embedding(traits.vocabSize, traits.width, { paddingIdx: traits.padding ?? undefined })
    this.layers = Array.from({ length: traits.layers }, (_, i) => new DecoderLayer(traits, i))
    this.norm = normOf(traits, traits.width)
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embed_tokens
  }

  override cacheShapes(): readonly CacheShape[] {
    const { keyHeads: heads, headDim, cache } = this.#traits
    return this.layers.map(() => cache ?? { heads, keyWidth: headDim, valueWidth: headDim })
  }

  private embedded(inputs: ModelInputs): Tensor {
    const vectors = tokenVectors(this.embed_tokens, inputs)
    const { embedScale = 1 } = this.#traits
    // Vectors that were given have been scaled.
    return embedScale === 1 || inputs.inputs_embeds ? vectors : mul(vectors, embedScale)
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    let x = this.embedded(inputs)
    const { headDim, maxPositions, causal } = this.#traits
    const scope = decoderScope(inputs, x.shape[1], recorder, causal)
    const { positions, keys } = scope
    const tables = memoised((rope: RopeParameters) =>
      ropeTables(positions, rope, { headDim, maxPositions, tokens: keys }),
    )
    const context: DecoderContext = { ...scope, tables }
    for (const layer of this.layers) {
      recorder.state(x)
      x = layer.forward(x, context)
    }
    x = this.norm.forward(x)
    recorder.state(x)
    return { last_hidden_state: x, ...recorder.outputs, ...scope.finish() }
  }
}

/** Masks, positions and the cache of one pass over `tokens` new tokens. */
export function decoderScope(inputs: ModelInputs, tokens: number, recorder: Recorder, causal = true) {
  const cache = inputs.past_key_values ?? null
  const keys = cache?.capacity ?? tokens
  const start = cache ? cache.length.value : 0
  const { position_ids: places } = inputs
  const given = keysOf(inputs.attention_mask, keys)
  return {
    recorder,
    cache,
    /** Keys that queries are compared with. */
    keys,
    positions: places === null || places === undefined ? positionsAfter(tokens, start) : asTensor(places),
    // Padding on the left sees nothing; a single new token always sees itself.
    attend: given && tokens > 1 ? attendSeeing : attend,
    mask: memoised((window: number | null) => {
      if (causal) return both(given, causalMask(tokens, keys, start, window))
      return window ? both(given, localMask(tokens, window - 1)) : given
    }),
    finish: () => {
      cache?.advance(tokens)
      return cache ? { past_key_values: cache } : {}
    },
  }
}

/** Places of new tokens after `start`, i32 [1, T]. */
export function positionsAfter(tokens: number, start: number | Tensor): Tensor {
  return asTensor(Int32Array.from({ length: tokens }, (_, i) => i))
    .add(start)
    .unsqueeze(0)
}
