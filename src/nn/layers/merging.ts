import { add, cat, einsum, logicalOr, maximum, minimum, mul, normalize, sub, type Tensor } from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { PartialShape } from '../symbolic.js'

type Pair = (a: Tensor, b: Tensor) => Tensor

abstract class Merge extends Layer {
  override get takesList(): boolean {
    return true
  }

  override build(shapes: InputShapes): void {
    const list = shapes as readonly PartialShape[]
    if (!Array.isArray(list[0]) || list.length < this.least)
      throw new RangeError(
        `${this.className} ${this.name}: expected a list of at least ${this.least} inputs, got ${Array.isArray(list[0]) ? list.length : 'one tensor'}`,
      )
  }

  protected get least(): number {
    return 1
  }

  protected override passMask(inputs: Tensor[], output: Tensor, context: CallContext): void {
    const masks = inputs.map((input) => context.masks.get(input))
    if (masks.every((mask) => mask !== undefined)) context.masks.set(output, masks.reduce(logicalOr))
  }
}

/** Inputs of fewer dimensions get them after the batch, so that they broadcast as Keras' do. */
function sameRank(inputs: readonly Tensor[]): Tensor[] {
  const rank = Math.max(...inputs.map(({ ndim }) => ndim))
  return inputs.map((x) => {
    const [batch, ...rest] = x.shape
    return x.ndim === rank ? x : x.reshape([batch, ...new Array<number>(rank - x.ndim).fill(1), ...rest])
  })
}

abstract class ElementwiseMerge extends Merge {
  constructor(
    private readonly combine: Pair,
    options: LayerOptions = {},
  ) {
    super(options)
  }

  override call(inputs: Tensor[]): Tensor {
    return sameRank(inputs).reduce((a, b) => this.combine(a, b))
  }
}

/** Sum of the inputs. */
export class Add extends ElementwiseMerge {
  override readonly className: string = 'Add'
  constructor(options?: LayerOptions) {
    super(add, options)
  }
}

/** First input minus the second. */
export class Subtract extends ElementwiseMerge {
  override readonly className: string = 'Subtract'
  constructor(options?: LayerOptions) {
    super(sub, options)
  }

  override build(shapes: InputShapes): void {
    super.build(shapes)
    if (shapes.length !== 2) throw new RangeError(`Subtract ${this.name}: expected two inputs, got ${shapes.length}`)
  }
}

/** Product of the inputs. */
export class Multiply extends ElementwiseMerge {
  override readonly className: string = 'Multiply'
  constructor(options?: LayerOptions) {
    super(mul, options)
  }
}

/** Mean of the inputs. */
export class Average extends ElementwiseMerge {
  override readonly className: string = 'Average'
  constructor(options?: LayerOptions) {
    super(add, options)
  }

  override call(inputs: Tensor[]): Tensor {
    return super.call(inputs).div(inputs.length)
  }
}

/** Largest of the inputs, element by element. */
export class Maximum extends ElementwiseMerge {
  override readonly className: string = 'Maximum'
  constructor(options?: LayerOptions) {
    super(maximum, options)
  }
}

/** Smallest of the inputs, element by element. */
export class Minimum extends ElementwiseMerge {
  override readonly className: string = 'Minimum'
  constructor(options?: LayerOptions) {
    super(minimum, options)
  }
}

/** The inputs one after another along `axis`; default the last dimension. */
export class Concatenate extends Merge {
  override readonly className: string = 'Concatenate'
  private readonly axis: number

  constructor(options: LayerOptions & { axis?: number } = {}) {
    const axis = options.axis ?? -1
    super(options, { axis })
    this.axis = axis
  }

  override call(inputs: Tensor[]): Tensor {
    return cat(inputs, this.axis)
  }
}

const LETTERS = 'abcdefghijklmnopqrstuvw'

/** Batched dot product along one dimension of each input (counted with the batch as 0). */
export class Dot extends Merge {
  override readonly className: string = 'Dot'
  private readonly axes: number | readonly number[]
  private readonly unit: boolean

  constructor(axes: number | readonly number[], options: LayerOptions & { normalize?: boolean } = {}) {
    const unit = options.normalize ?? false
    super(options, { axes, normalize: unit })
    this.axes = axes
    this.unit = unit
  }

  override build(shapes: InputShapes): void {
    super.build(shapes)
    if (shapes.length !== 2) throw new RangeError(`Dot ${this.name}: expected two inputs, got ${shapes.length}`)
  }

  override call([first, second]: Tensor[]): Tensor {
    const [i, j] = [first, second].map((x, k) => {
      const axis = typeof this.axes === 'number' ? this.axes : this.axes[k]
      return axis < 0 ? axis + x.ndim : axis
    })
    if (i === 0 || j === 0) throw new RangeError(`Dot ${this.name}: the batch cannot be contracted`)
    const [a, b] = this.unit ? [normalize(first, { dim: i }), normalize(second, { dim: j })] : [first, second]
    const left = LETTERS.slice(0, a.ndim)
    const fresh = LETTERS.slice(a.ndim)
    const right = b.shape.map((_, d) => (d === 0 ? left[0] : d === j ? left[i] : fresh[d])).join('')
    const output = left.replace(left[i], '') + right.slice(1).replace(left[i], '')
    const product = einsum(`${left},${right}->${output}`, a, b)
    return product.ndim === 1 ? product.unsqueeze(1) : product
  }
}
