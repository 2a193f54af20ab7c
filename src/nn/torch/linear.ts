import { dropout, linearInt8, quantizeRows } from '../../tensor/functional/index.js'
import { embedding, linear, Parameter, random, type Tensor, type TensorLike, zeros } from '../../tensor/index.js'
import { Module } from '../module.js'

/** torch's default for weights and biases: uniform in +- 1 / sqrt(fan in). */
export const uniformParameter = (shape: readonly number[], fanIn: number): Parameter => {
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0
  return new Parameter(random.uniform(shape, { low: -bound, high: bound }))
}

/**
 * x . weight^T + bias: [..., in] -> [..., out]. Parameters: weight [out, in], bias [out]; after {@link Linear.quantize} weight is i8 and
 * weight_scale f32 [out, 1] is there.
 */
export class Linear extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null
  /** What the integers of an i8 weight are multiplied by, for each output. */
  weight_scale: Parameter | null = null

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: {
      /** True for a bias of its own, or the parameter of another module to share. Default true. */
      bias?: boolean | Parameter
      /** A parameter [out, in] of another module to share (tied weights). */
      weight?: Parameter
    } = {},
  ) {
    super()
    const { bias = true, weight } = options
    this.weight = weight ?? uniformParameter([outFeatures, inFeatures], inFeatures)
    this.bias = bias instanceof Parameter ? bias : bias ? uniformParameter([outFeatures], inFeatures) : null
  }

  /** Holds the weight in 8 bits with a scale for each output; inputs are quantised row by row as they come. The weight trains no more. */
  quantize(): this {
    if (this.weight_scale) return this
    const { values, scales } = quantizeRows(this.weight)
    return this.holdInt8(values, scales)
  }

  /** Takes a weight that is i8 already: values [out, in] and scales [out, 1]. */
  holdInt8(values: Tensor, scales: Tensor): this {
    this.weight.trainable = false
    this.weight.cell.settle(values.value)
    this.weight_scale = new Parameter(scales, { trainable: false })
    return this
  }

  forward(x: TensorLike): Tensor {
    return this.weight_scale
      ? linearInt8(x, this.weight, this.weight_scale, this.bias)
      : linear(x, this.weight, this.bias)
  }
}

/** Indices [...] -> rows of weight [..., width]. Parameter: weight [entries, width], normal. */
export class Embedding extends Module {
  readonly weight: Parameter

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    private readonly options: { paddingIdx?: number } = {},
  ) {
    super()
    const weight = random.normal([numEmbeddings, embeddingDim])
    const { paddingIdx } = options
    this.weight = new Parameter(
      paddingIdx === undefined ? weight : weight.indexCopy(0, [paddingIdx], zeros([1, embeddingDim])),
    )
  }

  forward(indices: TensorLike): Tensor {
    return embedding(indices, this.weight, this.options)
  }
}

/** Drops elements in training (see `train()` and `eval()`) and scales the others. */
export class Dropout extends Module {
  constructor(readonly p = 0.5) {
    super()
    if (!(p >= 0 && p <= 1)) throw new RangeError(`Dropout: p must lie in [0, 1], got ${p}`)
  }

  forward(x: TensorLike): Tensor {
    return dropout(x, { p: this.p, training: this.training })
  }
}

/** A function of a tensor, or a module that has one. */
export type Step = ((x: Tensor) => Tensor) | (Module & { forward(x: Tensor): Tensor })

/** Modules and functions one after another; parameters are found under their positions. */
export class Sequential extends Module {
  /** By position, as torch names them. */
  readonly steps: readonly Step[]

  constructor(...steps: readonly Step[]) {
    super()
    this.steps = steps
  }

  protected override *children(): Iterable<readonly [string, Module]> {
    for (const [i, step] of this.steps.entries()) if (step instanceof Module) yield [String(i), step]
  }

  forward(x: Tensor): Tensor {
    return this.steps.reduce((value, step) => (step instanceof Module ? step.forward(value) : step(value)), x)
  }
}
