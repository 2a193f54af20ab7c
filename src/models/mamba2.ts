/** Mamba-2 (Dao and Gu 2024). Shapes: B batch, T tokens, H features, G heads. */
import { Module, torch } from '../nn/index.js'
import { conv1d, rmsNorm, silu } from '../tensor/functional/index.js'
import {
  add,
  asTensor,
  clamp,
  exp,
  log,
  mul,
  neg,
  ones,
  Parameter,
  permute,
  random,
  reshape,
  softplus,
  type Tensor,
  tensor,
} from '../tensor/index.js'
import { type ActivationFn, activation } from './blocks/activations.js'
import { CausalLanguageModel } from './blocks/causal.js'
import { tokenVectors } from './blocks/embeddings.js'
import { EncoderModel } from './blocks/heads.js'
import { Recorder } from './blocks/outputs.js'
import { chunkedScan } from './blocks/state-space.js'
import { type ConfigOf, defineConfig, type Json } from './pretrained/config.js'
import { defineModels } from './pretrained/definition.js'
import type { BaseModelOutput, ModelInputs } from './pretrained/io.js'
import type { Family, Initialises } from './pretrained/model.js'

const config = defineConfig({
  model_type: 'mamba2',
  defaults: {
    num_heads: 128,
    head_dim: 64,
    vocab_size: 32768,
    hidden_size: 4096,
    state_size: 128,
    num_hidden_layers: 64,
    layer_norm_epsilon: 1e-5,
    pad_token_id: 1 as number | null,
    bos_token_id: 0 as number | null,
    eos_token_id: 2 as number | readonly number[] | null,
    expand: 2,
    conv_kernel: 4,
    n_groups: 8,
    use_bias: false,
    use_conv_bias: true,
    hidden_act: 'silu',
    initializer_range: 0.1,
    time_step_min: 0.001,
    time_step_max: 0.1,
    time_step_floor: 1e-4,
    time_step_limit: [0, { __float__: 'Infinity' }] as readonly Json[],
    rescale_prenorm_residual: false,
    chunk_size: 256,
    tie_word_embeddings: false,
  },
})
export type Mamba2Config = ConfigOf<typeof config>

const family: Family = {
  config,
  prefix: 'backbone',
  keys: [{ rename: /^(backbone\.)?embedding\./, to: '$1embeddings.' }],
}

/** A number of a config; those that JSON lacks are written as { "__float__": "Infinity" }. */
function numberOf(value: Json): number {
  const text = typeof value === 'object' && value !== null && '__float__' in value ? value.__float__ : value
  const number = Number(text)
  if (typeof text === 'boolean' || text === null || Number.isNaN(number))
    throw new TypeError(`time_step_limit should hold two numbers, got ${JSON.stringify(value)}`)
  return number
}

/** Root mean square norm in groups, after a gate. */
class GatedNorm extends Module {
  readonly weight: Parameter

  constructor(
    width: number,
    private readonly groups: number,
    private readonly eps: number,
  ) {
    super()
    this.weight = new Parameter(ones([width]))
  }

  forward(x: Tensor, gate: Tensor): Tensor {
    const gated = mul(x, silu(gate))
    const width = gated.shape[2] / this.groups
    const grouped = reshape(gated, [gated.shape[0], gated.shape[1], this.groups, width])
    return mul(reshape(rmsNorm(grouped, width, { eps: this.eps }), gated.shape), this.weight)
  }
}

/** A convolution of each channel by itself, over what came before. */
class CausalConv extends Module implements Initialises {
  readonly weight: Parameter
  readonly bias: Parameter | null

  constructor(
    private readonly width: number,
    private readonly kernel: number,
    bias: boolean,
  ) {
    super()
    this.weight = new Parameter(ones([width, 1, kernel]))
    this.bias = bias ? new Parameter(ones([width])) : null
  }

  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const bound = 1 / Math.sqrt(this.kernel)
    const { weight, bias } = this
    if (wants(weight)) weight.cell.settle(random.uniform(weight.shape, { low: -bound, high: bound }).value)
    if (bias && wants(bias)) bias.cell.settle(mul(ones(bias.shape), 0).value)
  }

  /** [B, T, width] */
  forward(x: Tensor): Tensor {
    const options = { bias: this.bias ?? undefined, padding: this.kernel - 1, groups: this.width }
    const y = conv1d(permute(x, [0, 2, 1]), this.weight, options)
    return permute(y.narrow(2, 0, x.shape[1]), [0, 2, 1])
  }
}

class Mixer extends Module implements Initialises {
  readonly dt_bias: Parameter
  readonly A_log: Parameter
  readonly D: Parameter
  readonly conv1d: CausalConv
  readonly in_proj: torch.Linear
  readonly norm: GatedNorm
  readonly out_proj: torch.Linear
  readonly #act: ActivationFn
  readonly #inner: number
  readonly #limits: readonly [number, number]

  constructor(private readonly settings: Mamba2Config) {
    super()
    const { num_heads: heads, head_dim: headDim, hidden_size: width, n_groups: groups, state_size: states } = settings
    const inner = Math.trunc(settings.expand * width)
    if (inner !== heads * headDim)
      throw new RangeError(`hidden_size * expand = ${inner} must equal num_heads * head_dim = ${heads * headDim}`)
    if (heads % groups !== 0) throw new RangeError(`${heads} heads do not divide into ${groups} groups`)
    this.#inner = inner
    this.#limits = [numberOf(settings.time_step_limit[0]), numberOf(settings.time_step_limit[1])]
    const convolved = inner + 2 * groups * states
    this.dt_bias = new Parameter(ones([heads]))
    this.A_log = new Parameter(ones([heads]))
    this.D = new Parameter(ones([heads]))
    this.conv1d = new CausalConv(convolved, settings.conv_kernel, settings.use_conv_bias)
    this.in_proj = new torch.Linear(width, inner + convolved + heads, { bias: settings.use_bias })
    this.norm = new GatedNorm(inner, groups, settings.layer_norm_epsilon)
    this.out_proj = new torch.Linear(inner, width, { bias: settings.use_bias })
    this.#act = activation(settings.hidden_act)
  }

  /** Decays of 1, 2, ...; steps spread evenly on a log scale between their bounds. */
  initParameters(_std: number, wants: (parameter: Parameter) => boolean): void {
    const { num_heads: heads, time_step_min: low, time_step_max: high, time_step_floor: floor } = this.settings
    if (wants(this.A_log)) {
      const rates = tensor(Array.from({ length: heads }, (_, i) => i + 1)).to('f32')
      this.A_log.cell.settle(log(rates).value)
    }
    if (wants(this.D)) this.D.cell.settle(ones([heads]).value)
    if (wants(this.dt_bias)) {
      const spread = random
        .uniform([heads])
        .mul(Math.log(high) - Math.log(low))
        .add(Math.log(low))
      const steps = clamp(exp(spread), floor)
      // Inverse of softplus.
      this.dt_bias.cell.settle(add(steps, log(neg(exp(neg(steps)).sub(1)))).value)
    }
  }

  /** `counted` is [B, T, 1]: 0 where a token is padding. */
  forward(x: Tensor, counted: Tensor | null): Tensor {
    const {
      num_heads: heads,
      head_dim: headDim,
      n_groups: groups,
      state_size: states,
      chunk_size: chunk,
    } = this.settings
    const inner = this.#inner
    const kept = (y: Tensor): Tensor => (counted ? mul(y, counted) : y)
    const [batch, tokens] = x.shape
    const projected = this.in_proj.forward(kept(x))
    const across = groups * states
    const gate = projected.narrow(2, 0, inner)
    const mixed = kept(this.#act(this.conv1d.forward(projected.narrow(2, inner, inner + 2 * across))))
    const values = reshape(mixed.narrow(2, 0, inner), [batch, tokens, heads, headDim])
    const grouped = (from: number): Tensor =>
      reshape(mixed.narrow(2, from, across), [batch, tokens, groups, states]).repeatInterleave(heads / groups, 2)
    const raw = softplus(add(projected.narrow(2, 2 * inner + 2 * across, heads), this.dt_bias))
    const [low, high] = this.#limits
    const steps = clamp(raw, low, Number.isFinite(high) ? high : undefined)
    const scanned = chunkedScan({
      x: values,
      steps,
      rates: neg(exp(this.A_log)),
      enter: grouped(inner),
      read: grouped(inner + across),
      chunk,
    })
    const y = add(scanned, mul(values, reshape(this.D, [heads, 1])))
    return this.out_proj.forward(this.norm.forward(reshape(y, [batch, tokens, inner]), gate))
  }
}

class Block extends Module {
  readonly norm: torch.RMSNorm
  readonly mixer: Mixer

  constructor(settings: Mamba2Config) {
    super()
    this.norm = new torch.RMSNorm(settings.hidden_size, { eps: settings.layer_norm_epsilon })
    this.mixer = new Mixer(settings)
  }

  forward(x: Tensor, counted: Tensor | null): Tensor {
    return add(x, this.mixer.forward(this.norm.forward(x), counted))
  }
}

export class Mamba2Model extends EncoderModel<Mamba2Config> {
  static override readonly family: Family = family
  readonly embeddings: torch.Embedding
  readonly layers: readonly Block[]
  readonly norm_f: torch.RMSNorm

  constructor(settings: Mamba2Config) {
    super(settings)
    this.embeddings = new torch.Embedding(settings.vocab_size, settings.hidden_size)
    this.layers = Array.from({ length: settings.num_hidden_layers }, () => new Block(settings))
    this.norm_f = new torch.RMSNorm(settings.hidden_size, { eps: settings.layer_norm_epsilon })
  }

  override inputEmbeddings(): torch.Embedding {
    return this.embeddings
  }

  override forward(inputs: ModelInputs): BaseModelOutput {
    const recorder = new Recorder(this.config, inputs)
    let x = tokenVectors(this.embeddings, inputs)
    const { attention_mask: mask } = inputs
    const padded = mask !== null && mask !== undefined && x.shape[1] > 1
    const counted = padded ? asTensor(mask).to(x.dtype).unsqueeze(-1) : null
    for (const layer of this.layers) {
      x = layer.forward(x, counted)
      recorder.state(x)
    }
    const last_hidden_state = this.norm_f.forward(x)
    recorder.state(last_hidden_state)
    return { last_hidden_state, ...recorder.outputs }
  }
}

export class Mamba2ForCausalLM extends CausalLanguageModel<Mamba2Config> {
  static override readonly family: Family = family
  constructor(settings: Mamba2Config) {
    super(settings, new Mamba2Model(settings), { width: settings.hidden_size, vocabSize: settings.vocab_size })
  }

  override get generates(): boolean {
    return true
  }
}

export default defineModels({ config, classes: { Mamba2Model, Mamba2ForCausalLM } })
