/** The layers of BERT (Devlin et al. 2019), which RoBERTa, ELECTRA and others share. Shapes: B batch, T tokens, H features. */
import { Module, torch } from '../../nn/index.js'
import { add, asTensor, type Tensor, tanh } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { ModelInputs } from '../pretrained/io.js'
import { type ActivationFn, activation } from './activations.js'
import { attend, splitHeads } from './attention.js'
import type { CacheShape, KeyValueCache } from './cache.js'
import { decoderScope } from './decoder.js'
import { keyMask, type Mask } from './masks.js'
import { Recorder } from './outputs.js'

export interface BertLayerConfig {
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly intermediate_size: number
  readonly hidden_act: string
  readonly hidden_dropout_prob: number
  readonly attention_probs_dropout_prob: number
  readonly layer_norm_eps: number
  readonly is_decoder: boolean
  readonly add_cross_attention: boolean
}

/** What all layers of one pass share. */
export interface EncoderContext {
  readonly mask: Mask
  readonly recorder: Recorder
  readonly attend: typeof attend
  /** Keys and values of the tokens before (decoders). */
  readonly cache: KeyValueCache | null
  /** States to attend to in cross-attention [B, S, H]. */
  readonly encoderStates?: Tensor | null
  readonly encoderMask?: Mask
}

/** How one attention of a layer goes. */
interface AttentionCall {
  readonly mask: Mask
  readonly weights: boolean
  readonly attend: typeof attend
  /** Adds keys and values to those of the tokens before and gives all. */
  readonly keep?: (keys: Tensor, values: Tensor) => readonly [Tensor, Tensor]
  readonly record: (weights: Tensor | null) => void
}

class SelfAttention extends Module {
  readonly query: torch.Linear
  readonly key: torch.Linear
  readonly value: torch.Linear

  constructor(private readonly settings: BertLayerConfig) {
    super()
    const { hidden_size: width, num_attention_heads: heads } = settings
    if (width % heads !== 0) throw new RangeError(`hidden_size ${width} does not divide into ${heads} heads`)
    this.query = new torch.Linear(width, width)
    this.key = new torch.Linear(width, width)
    this.value = new torch.Linear(width, width)
  }

  forward(x: Tensor, states: Tensor, { mask, weights, attend, keep }: AttentionCall) {
    const heads = this.settings.num_attention_heads
    const [q, news, value] = [this.query.forward(x), this.key.forward(states), this.value.forward(states)].map((part) =>
      splitHeads(part, heads),
    )
    const [k, v] = keep ? keep(news, value) : [news, value]
    const dropout = this.training ? this.settings.attention_probs_dropout_prob : 0
    return attend(q, k, v, { mask, weights, dropout })
  }
}

/** Dense, dropout, and the norm of the sum with what went in. */
class ResidualOutput extends Module {
  readonly dense: torch.Linear
  readonly LayerNorm: torch.LayerNorm
  readonly dropout: torch.Dropout

  constructor(from: number, config: BertLayerConfig) {
    super()
    this.dense = new torch.Linear(from, config.hidden_size)
    this.LayerNorm = new torch.LayerNorm(config.hidden_size, { eps: config.layer_norm_eps })
    this.dropout = new torch.Dropout(config.hidden_dropout_prob)
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(add(this.dropout.forward(this.dense.forward(x)), residual))
  }
}

class Attention extends Module {
  readonly self: SelfAttention
  readonly output: ResidualOutput

  constructor(config: BertLayerConfig) {
    super()
    this.self = new SelfAttention(config)
    this.output = new ResidualOutput(config.hidden_size, config)
  }

  forward(x: Tensor, states: Tensor, call: AttentionCall): Tensor {
    const attended = this.self.forward(x, states, call)
    call.record(attended.weights)
    return this.output.forward(attended.output, x)
  }
}

class Intermediate extends Module {
  readonly dense: torch.Linear
  readonly #act: ActivationFn

  constructor(config: BertLayerConfig) {
    super()
    this.dense = new torch.Linear(config.hidden_size, config.intermediate_size)
    this.#act = activation(config.hidden_act)
  }

  forward(x: Tensor): Tensor {
    return this.#act(this.dense.forward(x))
  }
}

export class BertLayer extends Module {
  readonly attention: Attention
  readonly crossattention: Attention | null
  readonly intermediate: Intermediate
  readonly output: ResidualOutput

  constructor(config: BertLayerConfig) {
    super()
    if (config.add_cross_attention && !config.is_decoder) throw new RangeError('add_cross_attention needs is_decoder')
    this.attention = new Attention(config)
    this.crossattention = config.add_cross_attention ? new Attention(config) : null
    this.intermediate = new Intermediate(config)
    this.output = new ResidualOutput(config.intermediate_size, config)
  }

  forward(x: Tensor, context: EncoderContext, index: number): Tensor {
    const { mask, recorder, cache, encoderStates, encoderMask = null } = context
    const weights = recorder.wantsAttentions
    const keep = cache ? (k: Tensor, v: Tensor) => cache.update(index, k, v) : undefined
    const record = (w: Tensor | null): void => recorder.attention(w)
    let attended = this.attention.forward(x, x, { mask, weights, attend: context.attend, keep, record })
    if (encoderStates) {
      if (!this.crossattention) throw new TypeError('encoder_hidden_states need a config with add_cross_attention')
      const crossed = (w: Tensor | null): void => recorder.crossAttention(w)
      const call = { mask: encoderMask, weights, attend, record: crossed }
      attended = this.crossattention.forward(attended, encoderStates, call)
    }
    return this.output.forward(this.intermediate.forward(attended), attended)
  }
}

export class BertEncoder extends Module {
  readonly layer: readonly BertLayer[]

  constructor(config: BertLayerConfig) {
    super()
    this.layer = Array.from({ length: config.num_hidden_layers }, () => new BertLayer(config))
  }

  forward(x: Tensor, context: EncoderContext): Tensor {
    let states = x
    for (const [i, layer] of this.layer.entries()) {
      context.recorder.state(states)
      states = layer.forward(states, context, i)
    }
    context.recorder.state(states)
    return states
  }
}

/** The first token's state through a dense layer and tanh. */
export class BertPooler extends Module {
  readonly dense: torch.Linear

  constructor({ hidden_size: width }: { readonly hidden_size: number }) {
    super()
    this.dense = new torch.Linear(width, width)
  }

  forward(states: Tensor): Tensor {
    return tanh(this.dense.forward(states.select(1, 0)))
  }
}

/** Runs an encoder over embedded tokens with the masks, states and records that the inputs ask for. */
export function runBertEncoder(
  encoder: BertEncoder,
  x: Tensor,
  config: BertLayerConfig & BaseConfig,
  inputs: ModelInputs,
) {
  const { encoder_hidden_states: given } = inputs
  const encoderStates = config.is_decoder && given !== null && given !== undefined ? asTensor(given) : null
  const recorder = new Recorder(config, inputs, encoderStates !== null)
  const scope = config.is_decoder ? decoderScope(inputs, x.shape[1], recorder) : null
  const states = encoder.forward(x, {
    mask: scope ? scope.mask(null) : keyMask(inputs.attention_mask),
    attend: scope?.attend ?? attend,
    cache: scope?.cache ?? null,
    recorder,
    encoderStates,
    encoderMask: keyMask(inputs.encoder_attention_mask),
  })
  return { states, recorded: { ...recorder.outputs, ...scope?.finish() } }
}

/** What decoders of this kind keep of each token; null for encoders. */
export function bertCacheShapes(config: BertLayerConfig): readonly CacheShape[] | null {
  const { num_hidden_layers: layers, num_attention_heads: heads, hidden_size: width } = config
  if (!config.is_decoder) return null
  return Array.from({ length: layers }, () => ({ heads, keyWidth: width / heads, valueWidth: width / heads }))
}
