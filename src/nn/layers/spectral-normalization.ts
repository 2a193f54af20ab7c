import {
  all,
  div,
  eq,
  matmul,
  maximum,
  type Parameter,
  reshape,
  square,
  sum,
  type Tensor,
  t,
  where,
} from '../../tensor/index.js'
import { type CallContext, type InputShapes, Layer, type LayerOptions } from '../layer.js'
import type { Child } from '../module.js'
import { checkCount } from './options.js'

const normalize = (v: Tensor): Tensor => {
  const square_ = sum(square(v))
  return div(v, maximum(square_, 1e-12).sqrt())
}

/**
 * Divides the kernel (or the embeddings) of a layer by its largest singular value before every call in training (Miyato et al. 2018). The value is
 * found by `powerIterations` steps from `vector_u`, which goes on from call to call. Weights: those of the layer, vector_u [1, columns].
 */
export class SpectralNormalization extends Layer {
  override readonly className: string = 'SpectralNormalization'
  override readonly supportsMasking = true
  private kernel!: Parameter
  private vectorU!: Parameter
  private readonly powerIterations: number

  constructor(
    readonly layer: Layer,
    options: LayerOptions & {
      /** Default 1. */
      powerIterations?: number
    } = {},
  ) {
    const powerIterations = options.powerIterations ?? 1
    super(options, { layer, powerIterations })
    if (!(layer instanceof Layer)) throw new TypeError(`SpectralNormalization: expected a layer, got ${typeof layer}`)
    checkCount('SpectralNormalization', 'powerIterations', powerIterations)
    this.powerIterations = powerIterations
  }

  protected override *children(): Iterable<Child> {
    yield ['layer', this.layer]
    if (this.vectorU) yield ['vector_u', this.vectorU]
  }

  override build(inputShape: InputShapes): void {
    this.layer.ensureBuilt(inputShape)
    const held = this.layer as Layer & { kernel?: Parameter; embeddings?: Parameter }
    const kernel = held.kernel ?? held.embeddings
    if (!kernel)
      throw new RangeError(
        `SpectralNormalization ${this.name}: ${this.layer.className} has no kernel and no embeddings`,
      )
    this.kernel = kernel
    this.vectorU = this.addWeight('vector_u', [1, kernel.shape.at(-1) as number], {
      initializer: { class_name: 'TruncatedNormal', config: { stddev: 0.02 } },
      trainable: false,
    })
  }

  /** Keras' order: the kernel counts as a weight of this layer. */
  override get weights(): Parameter[] {
    return [...new Set([this.kernel, this.vectorU, ...this.layer.weights])]
  }

  private normalise(): void {
    const kernel = this.kernel.value
    const matrix = reshape(kernel, [-1, kernel.shape.at(-1) as number])
    let u = this.vectorU.value
    let v = u
    for (let i = 0; i < this.powerIterations; i++) {
      v = normalize(matmul(u, t(matrix)))
      u = normalize(matmul(v, matrix))
    }
    const sigma = sum(matmul(matmul(v, matrix), t(u)))
    // A kernel of zeros has no direction.
    const empty = all(eq(kernel, 0))
    this.kernel.value = where(empty, kernel, div(kernel, sigma))
    this.vectorU.value = where(empty, this.vectorU.value, u)
  }

  override call(inputs: Tensor | Tensor[], context: CallContext): Tensor | Tensor[] {
    if (context.training) this.normalise()
    return this.layer.run(inputs, context)
  }
}
