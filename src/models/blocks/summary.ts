import { Module, torch } from '../../nn/index.js'
import { mean, type Tensor } from '../../tensor/index.js'
import { type ActivationFn, activation } from './activations.js'

export interface SummaryConfig {
  readonly summary_type: string
  readonly summary_use_proj: boolean
  readonly summary_activation: string | null
  readonly summary_proj_to_labels?: boolean
  readonly summary_first_dropout?: number
  readonly summary_last_dropout?: number
  readonly num_labels: number
}

const SUMMARIES: Readonly<Record<string, (states: Tensor) => Tensor>> = {
  first: (states) => states.select(1, 0),
  last: (states) => states.select(1, -1),
  // Without places of its own, this is the last token.
  cls_index: (states) => states.select(1, -1),
  mean: (states) => mean(states, 1),
}

/** One vector of a text [B, T, H] as the config's `summary_...` fields say. */
export class SequenceSummary extends Module {
  readonly summary: torch.Linear | null
  readonly first_dropout: torch.Dropout
  readonly last_dropout: torch.Dropout
  readonly #act: ActivationFn
  readonly #take: (states: Tensor) => Tensor

  constructor(config: SummaryConfig, width: number) {
    super()
    if (!Object.hasOwn(SUMMARIES, config.summary_type))
      throw new RangeError(`summary_type '${config.summary_type}' is none of ${Object.keys(SUMMARIES).join(', ')}`)
    this.#take = SUMMARIES[config.summary_type]
    const out = config.summary_proj_to_labels && config.num_labels > 0 ? config.num_labels : width
    this.summary = config.summary_use_proj ? new torch.Linear(width, out) : null
    this.#act = activation(config.summary_activation || 'linear')
    this.first_dropout = new torch.Dropout(config.summary_first_dropout ?? 0)
    this.last_dropout = new torch.Dropout(config.summary_last_dropout ?? 0)
  }

  forward(states: Tensor): Tensor {
    const one = this.first_dropout.forward(this.#take(states))
    return this.last_dropout.forward(this.#act(this.summary ? this.summary.forward(one) : one))
  }
}
