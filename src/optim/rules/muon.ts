import {
  add,
  constant,
  div,
  matmul,
  maximum,
  mul,
  sqrt,
  square,
  sub,
  type Tensor,
  transpose,
} from '../../tensor/index.js'
import type { ParamInfo, Update, UpdateRule } from '../rule.js'
import { norm2, towards } from './common.js'

// Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks": the momentum of a matrix is replaced by a nearly
// orthogonal matrix, which a quintic Newton-Schulz iteration finds.

type Coefficients = readonly [number, number, number]

/**
 * Steps x -> a x + (b A + c A A) x with A = x x^T for a wide x [n, m], n <= m.
 * `round` is applied to what each step stores.
 */
function newtonSchulz(start: Tensor, [a, b, c]: Coefficients, steps: number, round: (x: Tensor) => Tensor): Tensor {
  const scaled = (x: Tensor, factor: number): Tensor => mul(x, constant(factor, x.dtype))
  let x = start
  for (let i = 0; i < steps; i++) {
    const gram = round(matmul(x, transpose(x)))
    const polynomial = round(add(scaled(gram, b), scaled(matmul(gram, gram), c)))
    x = round(add(scaled(x, a), matmul(polynomial, x)))
  }
  return x
}

/** `run` on a matrix that is at least as wide as high. */
function asWide(x: Tensor, run: (wide: Tensor) => Tensor): Tensor {
  return x.shape[0] > x.shape[1] ? transpose(run(transpose(x))) : run(x)
}

// Values of bfloat16 in float32: products are summed in full precision and rounded once, as torch's kernels do.
const toBfloat16 = (x: Tensor): Tensor => x.to('bf16').to('f32')

export type AdjustLr = 'original' | 'match_rms_adamw' | 'spectral_unclamped'

const ADJUST: Readonly<Record<AdjustLr, (rows: number, columns: number) => number>> = {
  original: (rows, columns) => Math.sqrt(Math.max(1, rows / columns)),
  match_rms_adamw: (rows, columns) => 0.2 * Math.sqrt(Math.max(rows, columns)),
  spectral_unclamped: (rows, columns) => Math.sqrt(rows / columns),
}

export const ADJUST_LR = Object.keys(ADJUST) as AdjustLr[]

export interface TorchMuonOptions {
  weightDecay: number
  momentum: number
  nesterov: boolean
  nsCoefficients: Coefficients
  eps: number
  nsSteps: number
  /** How the rate depends on the shape; null is 'original'. */
  adjustLrFn: AdjustLr | null
}

/** torch.optim.Muon: matrices only, orthogonalized in bfloat16, decay decoupled. */
export const torchMuon: UpdateRule<TorchMuonOptions, 'lr' | 'decay' | 'momentum' | 'oneMinusMomentum'> = {
  name: 'muon',
  slots(_options, { name, shape }) {
    if (shape.length !== 2)
      throw new RangeError(
        `muon updates matrices only, got ${name || 'a parameter'} of shape [${shape.join(', ')}]; give others to adamw`,
      )
    return ['momentum_buffer']
  },
  scalars: ({ weightDecay, momentum }, _t, lr) => ({
    lr,
    decay: 1 - lr * weightDecay,
    momentum,
    oneMinusMomentum: 1 - momentum,
  }),
  update(param, grad, slots, s, { weightDecay, nesterov, nsCoefficients, eps, nsSteps, adjustLrFn }) {
    const buffer = towards(slots.momentum_buffer, grad, s.oneMinusMomentum)
    // torch.lerp for a weight of at least one half.
    const direction = nesterov ? sub(buffer, mul(sub(buffer, grad), s.oneMinusMomentum)) : buffer
    const orthogonal = asWide(toBfloat16(direction), (wide) => {
      const norm = maximum(toBfloat16(norm2(wide)), toBfloat16(constant(eps, 'f32')))
      return newtonSchulz(toBfloat16(div(wide, norm)), nsCoefficients, nsSteps, toBfloat16)
    })
    const ratio = ADJUST[adjustLrFn ?? 'original'](param.shape[0], param.shape[1])
    const p = weightDecay !== 0 ? mul(param, s.decay) : param
    const rate = mul(s.lr, constant(ratio, s.lr.dtype))
    return { param: sub(p, mul(orthogonal.to(param.dtype), rate)), slots: { momentum_buffer: buffer } }
  },
}

export interface KerasMuonOptions {
  adamBeta1: number
  adamBeta2: number
  epsilon: number
  /** Regular expressions; parameters whose names match are updated by AdamW. */
  excludeLayers: readonly string[]
  /** Whether parameters with "embedding" in their names are updated by AdamW. */
  excludeEmbeddings: boolean
  muonA: number
  muonB: number
  muonC: number
  /** Rate of AdamW relative to Muon's. */
  adamLrRatio: number
  momentum: number
  nsSteps: number
  nesterov: boolean
  /** Scales updates of [n, m] by sqrt(max(n, m)) * rmsRate; null does not. */
  rmsRate: number | null
  /** Decay of matrices, decoupled. */
  muonWeightDecay: number | null
  /** Decay of what AdamW updates. */
  adamWeightDecay: number | null
}

/** Whether a parameter is updated by AdamW. */
function usesAdam({ excludeLayers, excludeEmbeddings }: KerasMuonOptions, { name, shape }: ParamInfo): boolean {
  if (shape.length !== 2) return true
  if (excludeEmbeddings && name.toLowerCase().includes('embedding')) return true
  return excludeLayers.some((pattern) => new RegExp(pattern).test(name))
}

type KerasMuonScalars =
  | 'lr'
  | 'momentum'
  | 'muonDecay'
  | 'adamDecay'
  | 'alpha'
  | 'oneMinusBeta1'
  | 'oneMinusBeta2'
  | 'epsilon'

/** keras.optimizers.Muon: orthogonalized momentum for matrices, AdamW for the rest. Liu et al. 2025 for the scale of the updates. */
export const kerasMuon: UpdateRule<KerasMuonOptions, KerasMuonScalars> = {
  name: 'Muon',
  slots: (options, info) => ['momentum', ...(usesAdam(options, info) ? ['velocity'] : [])],
  scalars: (options, t, lr) => ({
    lr,
    momentum: options.momentum,
    muonDecay: lr * (options.muonWeightDecay ?? 0),
    adamDecay: lr * (options.adamWeightDecay ?? 0),
    alpha: (lr * options.adamLrRatio * Math.sqrt(1 - options.adamBeta2 ** t)) / (1 - options.adamBeta1 ** t),
    oneMinusBeta1: 1 - options.adamBeta1,
    oneMinusBeta2: 1 - options.adamBeta2,
    epsilon: options.epsilon,
  }),
  update(param, grad, slots, s, options, info): Update {
    if (usesAdam(options, info)) {
      const p = options.adamWeightDecay ? sub(param, mul(param, s.adamDecay)) : param
      const momentum = towards(slots.momentum, grad, s.oneMinusBeta1)
      const velocity = towards(slots.velocity, square(grad), s.oneMinusBeta2)
      const step = div(mul(momentum, s.alpha), add(sqrt(velocity), s.epsilon))
      return { param: sub(p, step), slots: { momentum, velocity } }
    }
    const p = options.muonWeightDecay ? sub(param, mul(param, s.muonDecay)) : param
    const momentum = add(mul(slots.momentum, s.momentum), grad)
    const direction = options.nesterov ? add(grad, mul(momentum, s.momentum)) : momentum
    const coefficients = [options.muonA, options.muonB, options.muonC] as const
    const orthogonal = asWide(direction, (wide) =>
      newtonSchulz(div(wide, add(norm2(wide), constant(1e-7, wide.dtype))), coefficients, options.nsSteps, (x) => x),
    )
    const scale = options.rmsRate === null ? 1 : Math.sqrt(Math.max(param.shape[0], param.shape[1])) * options.rmsRate
    const step = mul(mul(orthogonal, s.lr), constant(scale, orthogonal.dtype))
    return { param: sub(p, step), slots: { momentum } }
  },
}
