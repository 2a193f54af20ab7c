import { add, constant, div, lerp, Parameter, sub, zeros } from '../tensor/index.js'

/**
 * Running averages of parameters. The first update copies them. Reference: torch.optim.swa_utils.AveragedModel.
 * With `decay` an exponential average (get_ema_avg_fn), without it the plain mean (stochastic weight averaging, Izmailov et al. 2018).
 */
export class AveragedParameters {
  readonly averages: readonly Parameter[]
  private updates = 0

  constructor(
    readonly parameters: readonly Parameter[],
    readonly options: { readonly decay?: number } = {},
  ) {
    this.averages = parameters.map(
      (param) =>
        new Parameter(zeros(param.shape, { dtype: param.dtype }), { trainable: false, name: `${param.name}/average` }),
    )
  }

  /** Takes the present values in. */
  update(): void {
    const { decay } = this.options
    const first = this.updates === 0
    this.parameters.forEach((param, i) => {
      const average = this.averages[i]
      const value = param.value
      if (first) average.value = value
      else if (decay === undefined)
        average.value = add(average.value, div(sub(value, average.value), constant(this.updates + 1, value.dtype)))
      else average.value = lerp(value, average.value, constant(decay, value.dtype))
    })
    this.updates++
  }

  /** Exchanges parameters and averages; call again to go back. */
  swap(): void {
    this.parameters.forEach((param, i) => {
      const average = this.averages[i].value
      this.averages[i].value = param.value
      param.value = average
    })
  }
}
