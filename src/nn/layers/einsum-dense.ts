import { add, einsum, type Parameter, type Tensor } from '../../tensor/index.js'
import { type Activation, getActivation } from '../activations.js'
import { type InputShapes, Layer } from '../layer.js'
import type { PartialShape } from '../symbolic.js'
import { type KernelOptions, kernelSettings, singleShape } from './options.js'

export interface EinsumDenseOptions extends KernelOptions {
  /** Letters of the output's dimensions that have a bias; none by default. */
  biasAxes?: string | null
}

interface Shapes {
  readonly kernel: number[]
  readonly bias: number[] | null
}

const FORMS = [
  /^()([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)$/,
  /^(0)([a-zA-Z]+),([a-zA-Z]+)->0([a-zA-Z]+)$/,
  /^()([a-zA-Z]{2,})0,([a-zA-Z]+)->([a-zA-Z]+)0$/,
]

/** Shapes of kernel and bias by the letters of the equation; what `...` stands for is elided on the left or on the right. */
function weightShapes(
  equation: string,
  biasAxes: string | null,
  input: PartialShape,
  outputShape: readonly (number | null)[],
): Shapes {
  const match = FORMS.map((form) => form.exec(equation.replaceAll('...', '0'))).find((found) => found)
  if (!match)
    throw new RangeError(
      `EinsumDense: the equation must be like 'abc,cd->abd', '...x,xy->...y' or 'ab...,bc->ac...', got '${equation}'`,
    )
  const [, left, inputs, weights, outputs] = match
  const elided = input.length - inputs.length
  if (elided < 0)
    throw new RangeError(`EinsumDense: '${equation}' needs ${inputs.length} dimensions, the input has ${input.length}`)
  const extents = new Map<string, number | null>()
  const offset = left ? elided : 0
  for (const [i, letter] of [...inputs].entries()) extents.set(letter, input[i + offset])
  // The output shape of the options lacks the batch, and what is elided on the left.
  const full = [input[0], ...(left ? input.slice(1, elided) : []), ...outputShape]
  for (const [i, letter] of [...outputs].entries()) extents.set(letter, full[i + offset] ?? extents.get(letter) ?? null)
  const extentOf = (letter: string): number => {
    const extent = extents.get(letter)
    if (extent === undefined || extent === null)
      throw new RangeError(
        `EinsumDense: the extent of '${letter}' in '${equation}' is not known; give it in outputShape`,
      )
    return extent
  }
  const kernel = [...weights].map(extentOf)
  if (!biasAxes) return { kernel, bias: null }
  for (const letter of biasAxes)
    if (!outputs.includes(letter))
      throw new RangeError(`EinsumDense: bias axis '${letter}' is not in the output of '${equation}'`)
  const first = Math.min(...[...biasAxes].map((letter) => outputs.indexOf(letter)))
  const bias = [...outputs.slice(first)].map((letter) => (biasAxes.includes(letter) ? extentOf(letter) : 1))
  return { kernel, bias: left ? bias : [...bias, ...new Array<number>(elided).fill(1)] }
}

/** A dense layer whose product is an einsum equation of input and kernel. Keras EinsumDense. */
export class EinsumDense extends Layer {
  override readonly className: string = 'EinsumDense'
  kernel!: Parameter
  bias: Parameter | null = null
  private readonly activation: Activation

  constructor(
    readonly equation: string,
    /** Without the batch; null where the input says it. */
    readonly outputShape: number | readonly (number | null)[],
    readonly options: EinsumDenseOptions = {},
  ) {
    const { useBias: _, ...settings } = kernelSettings(options)
    super(options, { equation, outputShape, biasAxes: options.biasAxes ?? null, ...settings })
    this.activation = getActivation(options.activation)
  }

  override build(inputShape: InputShapes): void {
    const o = kernelSettings(this.options)
    const { outputShape } = this
    const shapes = weightShapes(
      this.equation,
      this.options.biasAxes ?? null,
      singleShape(this, inputShape),
      typeof outputShape === 'number' ? [outputShape] : outputShape,
    )
    this.kernel = this.addWeight('kernel', shapes.kernel, {
      initializer: o.kernelInitializer,
      regularizer: o.kernelRegularizer,
      constraint: o.kernelConstraint,
    })
    if (shapes.bias)
      this.bias = this.addWeight('bias', shapes.bias, {
        initializer: o.biasInitializer,
        regularizer: o.biasRegularizer,
        constraint: o.biasConstraint,
      })
  }

  override call(x: Tensor): Tensor {
    const product = einsum(this.equation, this.toFloat(x), this.kernel)
    return this.activation(this.bias ? add(product, this.bias) : product)
  }
}
