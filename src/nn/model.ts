import type { DType, Shape, Tensor } from '../tensor/index.js'
import { callContext, type InputShapes, Layer } from './layer.js'
import { serializeLayer } from './layer-config.js'
import type { Child } from './module.js'
import { automaticName } from './names.js'
import type { KerasObject } from './serial.js'
import { type SummaryOptions, summaryText } from './summary.js'
import { type PartialShape, SymbolicTensor } from './symbolic.js'

/** An input of a functional model. `shape` is that of one example, without the batch. */
export function input(
  shape: PartialShape,
  options: { name?: string; dtype?: DType; batchSize?: number } = {},
): SymbolicTensor {
  const name = options.name ?? automaticName('InputLayer')
  return new SymbolicTensor([options.batchSize ?? null, ...shape], options.dtype ?? 'f32', null, 0, name)
}

export type Inputs = Tensor | Tensor[]

/**
 * A model: a layer made of layers. Training methods (`compile`, `fit`, `evaluate`, `predict`) come with `kaimo/train`, which the main
 * entry loads.
 */
export abstract class Model extends Layer {
  /** Layers in Keras' order, without inputs. */
  abstract readonly layers: readonly Layer[]
  /** Shapes of the inputs with the batch first; null until known. */
  abstract readonly inputShapes: readonly PartialShape[] | null
  /** Names of outputs, for metrics of models with several. */
  abstract readonly outputNames: readonly string[]

  protected override children(): Iterable<Child> {
    return this.layers.map((layer) => [layer.name, layer] as const)
  }

  override get takesList(): boolean {
    return (this.inputShapes?.length ?? 1) > 1
  }

  /** Runs the model in its present mode; takes one tensor, or one for each input. */
  override forward(x: Tensor): Tensor
  override forward(x: Inputs): Inputs
  override forward(x: Inputs): Inputs {
    return this.run(x, callContext(this.training))
  }

  /** The layer of a name. @throws RangeError naming those there are. */
  getLayer(name: string): Layer {
    const layer = this.layers.find((candidate) => candidate.name === name)
    if (!layer)
      throw new RangeError(
        `${this.name} has no layer '${name}'; layers: ${this.layers.map((candidate) => candidate.name).join(', ')}`,
      )
    return layer
  }

  /** Copies of all weights in Keras' order, as row-major data. */
  async getWeights(): Promise<{ shape: Shape; data: ArrayLike<number | bigint> }[]> {
    return Promise.all(this.weights.map(async (weight) => ({ shape: weight.shape, data: await weight.value.data() })))
  }

  /** The model as Keras writes it: `modelFromConfig` makes an equal one with fresh weights. */
  toConfig(): KerasObject {
    return serializeLayer(this)
  }

  /** Rows of the summary: layers with what they give. */
  abstract summaryRows(): { layer: Layer | null; name: string; shape: PartialShape | null; from: string[] }[]

  /** Keras' table of layers, output shapes and parameters. */
  summary(options: SummaryOptions = {}): string {
    return summaryText(this, options)
  }

  /** @throws Error when the input is not what the model was made for. */
  protected checkInputs(shapes: InputShapes): void {
    const expected = this.inputShapes
    if (!expected) return
    const given = (Array.isArray(shapes[0]) ? shapes : [shapes]) as readonly PartialShape[]
    if (given.length !== expected.length)
      throw new RangeError(`${this.name} takes ${expected.length} input(s), got ${given.length}`)
    expected.forEach((shape, i) => {
      const fits =
        shape.length === given[i].length && shape.every((extent, d) => extent === null || given[i][d] === extent)
      if (!fits)
        throw new RangeError(
          `${this.name}: input ${i} must have shape [${shape.map((n) => n ?? 'any').join(', ')}], got [${given[i].join(', ')}]`,
        )
    })
  }
}
