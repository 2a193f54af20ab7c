import {
  add,
  argmax,
  constant,
  eq,
  ge,
  gt,
  mul,
  oneHot,
  type Parameter,
  sub,
  sum,
  type Tensor,
  take,
} from '../../tensor/index.js'
import { Metric, ratio } from './metric.js'

// Reference: keras.metrics.iou_metrics.

export interface IoUOptions {
  name?: string
  /** Classes whose mean is the result; default all. */
  targetClassIds?: readonly number[] | null
  /** Positions of this class do not count. */
  ignoreClass?: number | null
  /** Targets are indices (default) or one-hot along `axis`. */
  sparseYTrue?: boolean
  /** Predictions are indices (default) or scores along `axis`. */
  sparseYPred?: boolean
  axis?: number
}

/** Mean intersection over union of classes, from a confusion matrix (Keras IoU and its relatives). */
export class IoU extends Metric {
  private readonly matrix: Parameter

  constructor(
    private readonly classes: number,
    private readonly options: IoUOptions = {},
  ) {
    super(options.name ?? 'iou')
    if (!Number.isInteger(classes) || classes < 1)
      throw new RangeError(`${this.name}: numClasses must be a positive integer, got ${classes}`)
    this.matrix = this.state([classes, classes])
  }

  protected labels(x: Tensor, sparse: boolean): Tensor {
    return (sparse ? x : argmax(x, this.options.axis ?? -1)).to('i32').reshape([-1])
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    const truth = this.labels(yTrue, this.options.sparseYTrue ?? true)
    const rows = oneHot(truth, this.classes).to('f32')
    const columns = oneHot(this.labels(yPred, this.options.sparseYPred ?? true), this.classes).to('f32')
    const ignored = this.options.ignoreClass ?? null
    let weighted = weight ? mul(rows, weight.to('f32').reshape([-1, 1])) : rows
    if (ignored !== null)
      weighted = mul(weighted, sub(1, eq(truth, constant(ignored, 'i32')).to('f32')).reshape([-1, 1]))
    this.matrix.value = add(this.matrix.value, weighted.t().matmul(columns))
  }

  override result(): Tensor {
    const matrix = this.matrix.value
    const ids = this.options.targetClassIds
    const of = (x: Tensor): Tensor =>
      ids
        ? take(
            x,
            [...ids].map((id) => BigInt(id)),
            0,
          )
        : x
    const hits = of(matrix.diagonal())
    const union = sub(add(of(sum(matrix, 0)), of(sum(matrix, 1))), hits)
    const present = gt(union, constant(0, 'f32')).to('f32')
    return ratio(sum(mul(ratio(hits, union), present)), sum(present))
  }
}

/** {@link IoU} of two classes; predictions are scores, positive from `threshold` on (Keras BinaryIoU). */
export class BinaryIoU extends IoU {
  constructor(
    options: { name?: string; targetClassIds?: readonly number[]; threshold?: number } = {},
    private readonly threshold = options.threshold ?? 0.5,
  ) {
    super(2, { name: options.name ?? 'binary_io_u', targetClassIds: options.targetClassIds ?? [0, 1] })
  }

  override update(yTrue: Tensor, yPred: Tensor, weight?: Tensor | null): void {
    super.update(yTrue, ge(yPred, constant(this.threshold, yPred.dtype)).to('i32'), weight)
  }
}
