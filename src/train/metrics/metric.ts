import {
  add,
  constant,
  div,
  gt,
  mul,
  Parameter,
  type Shape,
  sum,
  type Tensor,
  where,
  zeros,
} from '../../tensor/index.js'

/**
 * A statistic accumulated over batches. State lives in cells, so `update` can be part of a compiled step; `result` is a tensor of the
 * state alone.
 */
export abstract class Metric {
  private readonly cells: Parameter[] = []

  constructor(readonly name: string) {}

  protected state(shape: Shape = []): Parameter {
    const cell = new Parameter(zeros(shape), { trainable: false, name: this.name })
    this.cells.push(cell)
    return cell
  }

  /** State to save and restore. */
  get states(): readonly Parameter[] {
    return this.cells
  }

  /** Takes one batch in. `weight` holds one number for each example. */
  abstract update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void

  /** The statistic of everything since the last reset: a scalar. */
  abstract result(): Tensor

  reset(): void {
    for (const cell of this.cells) cell.value = zeros(cell.shape)
  }
}

/** numerator / denominator, 0 where the denominator is 0. */
export function ratio(numerator: Tensor, denominator: Tensor): Tensor {
  const positive = gt(denominator, constant(0, denominator.dtype))
  const safe = where(positive, denominator, constant(1, denominator.dtype))
  return where(positive, div(numerator, safe), constant(0, numerator.dtype))
}

/** Weights of a batch in the rank of `values`. */
export function weightsFor(values: Tensor, weight: Tensor | null | undefined): Tensor | null {
  if (!weight) return null
  const shape = [...weight.shape, ...values.shape.slice(weight.shape.length).map(() => 1)]
  return weight.to(values.dtype).reshape(shape).expand(values.shape)
}

/** Weighted mean of per-example values. Keras Mean and MeanMetricWrapper. */
export class MeanMetric extends Metric {
  private readonly total = this.state()
  private readonly count = this.state()

  constructor(
    name: string,
    private readonly values: (yTrue: Tensor, yPred: Tensor) => Tensor,
    private readonly finish: (mean: Tensor) => Tensor = (mean) => mean,
  ) {
    super(name)
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    this.add(this.values(yTrue, yPred), weight)
  }

  /** Takes values in directly. */
  add(values: Tensor, weight?: Tensor | null): void {
    const floats = values.to('f32')
    const weights = weightsFor(floats, weight)
    this.total.value = add(this.total.value, sum(weights ? mul(floats, weights) : floats))
    this.count.value = add(this.count.value, weights ? sum(weights) : constant(floats.size, 'f32'))
  }

  /** Takes a batch mean that stands for `size` examples. */
  addMean(mean: Tensor, size: number): void {
    this.total.value = add(this.total.value, mul(mean.to('f32'), constant(size, 'f32')))
    this.count.value = add(this.count.value, constant(size, 'f32'))
  }

  override result(): Tensor {
    return this.finish(ratio(this.total.value, this.count.value))
  }
}
