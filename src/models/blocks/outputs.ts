import type { Tensor, TensorLike } from '../../tensor/index.js'
import type { BaseConfig } from '../pretrained/config.js'
import type { ModelInputs, ModelOutput } from '../pretrained/io.js'
import { spanLoss } from './losses.js'

/** Gathers what was asked for beside the result while layers run. */
export class Recorder {
  readonly #states: Tensor[] | null
  readonly #attentions: Tensor[] | null
  readonly #cross: Tensor[] | null

  constructor(config: BaseConfig, inputs: ModelInputs, cross = false) {
    this.#states = (inputs.output_hidden_states ?? config.output_hidden_states) ? [] : null
    this.#attentions = (inputs.output_attentions ?? config.output_attentions) ? [] : null
    this.#cross = this.#attentions && cross ? [] : null
  }

  /** Whether layers should give their attention weights. */
  get wantsAttentions(): boolean {
    return this.#attentions !== null
  }

  state(x: Tensor): void {
    this.#states?.push(x)
  }

  attention(weights: Tensor | null): void {
    if (weights) this.#attentions?.push(weights)
  }

  crossAttention(weights: Tensor | null): void {
    if (weights) this.#cross?.push(weights)
  }

  /** What was recorded, as the fields of an output. */
  get outputs(): Pick<ModelOutput, 'hidden_states' | 'attentions' | 'cross_attentions'> {
    return {
      ...(this.#states ? { hidden_states: this.#states } : {}),
      ...(this.#attentions ? { attentions: this.#attentions } : {}),
      ...(this.#cross ? { cross_attentions: this.#cross } : {}),
    }
  }
}

/** The fields that a head passes on from its base model. */
export function passed(output: ModelOutput): ModelOutput {
  const { hidden_states, attentions, cross_attentions, past_key_values } = output
  return {
    ...(hidden_states ? { hidden_states } : {}),
    ...(attentions ? { attentions } : {}),
    ...(cross_attentions ? { cross_attentions } : {}),
    ...(past_key_values ? { past_key_values } : {}),
  }
}

/** A loss where labels were given. */
export const lossOf = (
  labels: TensorLike | null | undefined,
  loss: (labels: TensorLike) => Tensor,
): { readonly loss?: Tensor } => (labels === null || labels === undefined ? {} : { loss: loss(labels) })

/** Scores [B, T, 2] as those of the first and the last token of an answer. */
export function spanOutput(scores: Tensor, inputs: ModelInputs, base: ModelOutput) {
  const [start_logits, end_logits] = [0, 1].map((i) => scores.select(2, i))
  const { start_positions: starts, end_positions: ends } = inputs
  const given = starts !== null && starts !== undefined && ends !== null && ends !== undefined
  const loss = given ? { loss: spanLoss(start_logits, end_logits, starts, ends) } : {}
  return { ...loss, start_logits, end_logits, ...passed(base) }
}
