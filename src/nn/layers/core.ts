import { any, constant, mul, ne, type Tensor } from '../../tensor/index.js'
import { type CallContext, Layer, type LayerOptions } from '../layer.js'

/** Hands its input on. */
export class Identity extends Layer {
  override readonly className: string = 'Identity'
  override readonly supportsMasking = true

  override call(x: Tensor): Tensor {
    return x
  }
}

/** A function as a layer. It cannot be saved: for that, make a layer class and register it. */
export class Lambda extends Layer {
  override readonly className: string = 'Lambda'
  override readonly supportsMasking = true

  constructor(
    private readonly fn: (x: Tensor, context: CallContext) => Tensor,
    options: LayerOptions = {},
  ) {
    super(options)
  }

  override call(x: Tensor, context: CallContext): Tensor {
    return this.fn(x, context)
  }

  override config(): Record<string, unknown> {
    throw new TypeError(
      `Lambda ${this.name} holds a function and cannot be saved; write a layer class and make it known with registerLayer()`,
    )
  }
}

/** Marks steps whose features all equal `maskValue` (default 0) as padding: layers after this one skip them. */
export class Masking extends Layer {
  override readonly className: string = 'Masking'
  private readonly maskValue: number

  constructor(options: LayerOptions & { maskValue?: number } = {}) {
    const maskValue = options.maskValue ?? 0
    super(options, { maskValue })
    this.maskValue = maskValue
  }

  private shown(x: Tensor, keepdim: boolean): Tensor {
    return any(ne(x, constant(this.maskValue, x.dtype)), -1, { keepdim })
  }

  override call(x: Tensor): Tensor {
    return mul(x, this.shown(x, true).to(x.dtype))
  }

  protected override passMask(x: Tensor, output: Tensor, context: CallContext): void {
    context.masks.set(output, this.shown(x, false))
  }
}
