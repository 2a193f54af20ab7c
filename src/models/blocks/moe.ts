/** Mixtures of experts: a router chooses a few feed-forward parts for each token. Shapes: N tokens, E experts, H features. */
import { Module } from '../../nn/index.js'
import { linear } from '../../tensor/functional/index.js'
import { add, div, mul, oneHot, Parameter, random, reshape, sum, type Tensor, zeros } from '../../tensor/index.js'
import type { Initialises } from '../pretrained/model.js'
import { GatedMlp } from './decoder.js'

/** The map from tokens to experts. */
export class Router extends Module implements Initialises {
  readonly weight: Parameter

  constructor(experts: number, width: number) {
    super()
    this.weight = new Parameter(zeros([experts, width]))
  }

  initParameters(std: number, wants: (parameter: Parameter) => boolean): void {
    if (wants(this.weight)) this.weight.cell.settle(random.normal(this.weight.shape, { std }).value)
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight)
  }
}

/** Weights of the chosen experts, 0 for the others: [N, E] from values and indices [N, k]. */
export function spreadWeights(values: Tensor, indices: Tensor, experts: number): Tensor {
  return sum(mul(oneHot(indices, experts, { dtype: values.dtype }), values.unsqueeze(-1)), 1)
}

/** Chosen values [N, k] as shares of their sum. */
export const shares = (values: Tensor, epsilon = 0): Tensor => {
  const total = sum(values, -1, { keepdim: true })
  return div(values, epsilon ? add(total, epsilon) : total)
}

export interface MixtureOptions {
  readonly width: number
  readonly inner: number
  readonly experts: number
  readonly act: string
}

/**
 * Experts weighted by a router. Every expert sees every token and the router's zeros drop what was not chosen: exact, at the cost of
 * the experts that were not needed.
 */
export abstract class Mixture extends Module {
  readonly gate: Router
  readonly experts: readonly GatedMlp[]

  constructor({ width, inner, experts, act }: MixtureOptions) {
    super()
    this.gate = this.router(experts, width)
    this.experts = Array.from({ length: experts }, () => new GatedMlp(width, inner, act))
  }

  protected router(experts: number, width: number): Router {
    return new Router(experts, width)
  }

  /** Weights [N, E] from the router's scores [N, E]. */
  protected abstract weights(scores: Tensor): Tensor

  forward(x: Tensor): Tensor {
    const width = x.shape[x.ndim - 1]
    const flat = reshape(x, [-1, width])
    const weights = this.weights(this.gate.forward(flat))
    const parts = this.experts.map((expert, i) => mul(expert.forward(flat), weights.narrow(1, i, 1)))
    return reshape(
      parts.reduce((total, part) => add(total, part)),
      x.shape,
    )
  }
}
