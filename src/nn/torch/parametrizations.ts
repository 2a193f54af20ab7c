import { weightNorm as normedWeight } from '../../tensor/functional/index.js'
import {
  constant,
  div,
  matmul,
  maximum,
  movedim,
  mul,
  Parameter,
  random,
  reshape,
  square,
  stopGradient,
  sum,
  type Tensor,
} from '../../tensor/index.js'
import type { Module } from '../module.js'

/** Weights computed from others (torch.nn.utils.parametrizations): state dicts have torch's names, those of older files are read. */

/** The plain parameter of a module. @throws RangeError where there is none, Error where it is computed already */
function plainParameter(what: string, module: Module, name: string): Parameter {
  const parameter = module.ownParameter(name)
  if (!parameter) throw new RangeError(`${what}: ${module.constructor.name} has no parameter '${name}'`)
  if (parameter.derivation) throw new Error(`${what}: '${name}' of ${module.constructor.name} is parametrized already`)
  return parameter
}

function checkDim(what: string, dim: number, rank: number): number {
  if (!Number.isInteger(dim) || dim >= rank || dim < -rank)
    throw new RangeError(
      `${what}: dim must lie in [${-rank}, ${rank - 1}] for a weight of ${rank} dimensions, got ${dim}`,
    )
  return dim < 0 ? dim + rank : dim
}

const normExcept = (v: Tensor, dim: number | null): Tensor => {
  const rest = v.shape.map((_, other) => other).filter((other) => other !== dim)
  return sum(square(v), rest, { keepdim: dim !== null }).sqrt()
}

/**
 * Computes a weight from its lengths (`original0`) and directions (`original1`): g * v / |v| (Salimans & Kingma 2016). One length for each entry
 * of dimension `dim`; one for the whole weight where `dim` is null (or -1, as in torch).
 * @returns the module
 */
export function weightNorm<M extends Module>(module: M, name = 'weight', dim: number | null = 0): M {
  const weight = plainParameter('weightNorm', module, name)
  const kept = dim === null || dim === -1 ? null : checkDim('weightNorm', dim, weight.shape.length)
  const { shape, dtype, trainable, value } = weight
  const g = new Parameter(normExcept(value, kept), { trainable })
  const v = new Parameter(value, { trainable })
  weight.derive({
    shape,
    dtype,
    sources: { original0: g, original1: v },
    legacy: { _g: 'original0', _v: 'original1' },
    read: () => (kept === null ? mul(v, div(g, normExcept(v.value, null))) : normedWeight(v, g, kept)),
    write: (next) => {
      g.value = normExcept(next, kept)
      v.value = next
    },
  })
  return module
}

export interface SpectralNormOptions {
  /** Steps of the power iteration at each use in training; default 1. */
  nPowerIterations?: number
  /** Smallest length that vectors are divided by; default 1e-12. */
  eps?: number
  /** Dimension of the outputs; default 0. torch takes 1 for transposed convolutions. */
  dim?: number
}

const normalize = (x: Tensor, eps: number): Tensor => div(x, maximum(sum(square(x)).sqrt(), constant(eps, x.dtype)))

/** The power iteration of one weight. */
class SpectralState {
  readonly u: Parameter
  readonly v: Parameter

  constructor(
    weight: Tensor,
    private readonly dim: number,
    private readonly eps: number,
  ) {
    const [rows, columns] = this.matrix(weight).shape
    const buffer = (length: number): Parameter =>
      new Parameter(normalize(random.normal([length], { dtype: weight.dtype }), eps), { trainable: false })
    this.u = buffer(rows)
    this.v = buffer(columns)
    this.iterate(weight, 15)
  }

  matrix(weight: Tensor): Tensor {
    const first = movedim(weight, this.dim, 0)
    return reshape(first, [first.shape[0], -1])
  }

  iterate(weight: Tensor, times: number): void {
    const matrix = stopGradient(this.matrix(weight))
    for (let i = 0; i < times; i++) {
      this.u.value = normalize(matmul(matrix, this.v), this.eps)
      this.v.value = normalize(matmul(this.u, matrix), this.eps)
    }
  }

  /** The weight by its largest singular value. */
  normed(weight: Tensor): Tensor {
    const sigma = sum(mul(this.u, matmul(this.matrix(weight), this.v)))
    return div(weight, sigma)
  }
}

/**
 * Divides a weight (`original`) by its largest singular value, as torch's spectral_norm (Miyato et al. 2018). Buffers `0._u` and `0._v` hold the
 * vectors of the power iteration, which goes on with every use in training and rests in evaluation. A vector is divided by its length.
 * @returns the module
 */
export function spectralNorm<M extends Module>(module: M, name = 'weight', options: SpectralNormOptions = {}): M {
  const weight = plainParameter('spectralNorm', module, name)
  const { nPowerIterations = 1, eps = 1e-12 } = options
  const { shape, dtype, trainable, value } = weight
  const dim = checkDim('spectralNorm', options.dim ?? 0, shape.length)
  if (!Number.isInteger(nPowerIterations) || nPowerIterations < 1)
    throw new RangeError(`spectralNorm: nPowerIterations must be an integer of at least 1, got ${nPowerIterations}`)
  const original = new Parameter(value, { trainable })
  const state = shape.length > 1 ? new SpectralState(value, dim, eps) : null
  weight.derive({
    shape,
    dtype,
    sources: state ? { original, '0._u': state.u, '0._v': state.v } : { original },
    legacy: { _orig: 'original', ...(state ? { _u: '0._u', _v: '0._v' } : {}) },
    read: () => {
      const present = original.value
      if (!state) return normalize(present, eps)
      if (module.training) state.iterate(present, nPowerIterations)
      return state.normed(present)
    },
    write: (next) => {
      original.value = next
    },
  })
  return module
}

/**
 * Undoes {@link weightNorm} or {@link spectralNorm}: the weight keeps its present value.
 * @throws RangeError where the weight is not parametrized
 */
export function removeParametrizations<M extends Module>(module: M, name = 'weight'): M {
  const parameter = module.ownParameter(name)
  if (!parameter?.derivation)
    throw new RangeError(`removeParametrizations: ${module.constructor.name} has no parametrized '${name}'`)
  parameter.derive(null)
  return module
}
