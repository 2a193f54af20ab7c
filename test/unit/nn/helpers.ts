import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import { callContext, type Layer } from '../../../src/nn/index.js'
import { setBackend } from '../../../src/runtime/index.js'
import { grad, type NestedArray, Parameter, random, type Tensor, tensor } from '../../../src/tensor/index.js'

setBackend(createInterpreterBackend())

export const numbers = async (x: Tensor | Parameter): Promise<number[]> =>
  Array.from((await (x instanceof Parameter ? x.value : x).data()) as Float64Array, Number)

export const nested = async (x: Tensor): Promise<NestedArray<number | boolean>> => x.toArray()

/** The layer's output on x in training or not. */
export const run = (layer: Layer, x: Tensor | Tensor[], training = false): Tensor =>
  layer.run(x, callContext(training)) as Tensor

/**
 * Compares the derivative of sum(weights * layer(x)) along a random direction of input and weights with a central difference, in f64.
 */
export async function checkGradient(layer: Layer, x: Tensor, training = false): Promise<{ got: number; want: number }> {
  layer.ensureBuilt(x.shape)
  const input = new Parameter(x)
  const cells = [input, ...layer.weights.filter((weight) => weight.trainable)]
  // Whatever the initial weights are, none stays 0.
  for (const cell of cells.slice(1)) cell.value = random.normal(cell.shape, { std: 0.5, dtype: 'f64' })
  const cot = random.normal(run(layer, x, training).shape, { dtype: 'f64' })
  const directions = cells.map((cell) => random.normal(cell.shape, { dtype: 'f64' }))
  const loss = (): Tensor => run(layer, input.value, training).mul(cot).sum()
  const start = cells.map((cell) => cell.value)
  const slopes = grad(loss(), cells) as Tensor[]
  const parts = slopes.map((slope, i) => slope.mul(directions[i]).sum())
  const got = await parts.reduce((a, b) => a.add(b)).item()
  const at = async (step: number): Promise<number> => {
    for (const [i, cell] of cells.entries()) cell.value = start[i].add(directions[i].mul(step))
    return loss().item()
  }
  const h = 1e-6
  const want = ((await at(h)) - (await at(-h))) / (2 * h)
  return { got, want }
}

export const f64 = (data: NestedArray<number>): Tensor => tensor(data, { dtype: 'f64' })

/** Values of a sine, f32, the same wherever they are made: the scripts behind `data` make them too. */
export const wave = (shape: readonly number[], offset: number): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.6 * Math.sin(0.7 * i + offset)),
    { shape },
  )
