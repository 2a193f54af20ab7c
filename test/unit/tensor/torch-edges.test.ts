import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import { sgd as kerasSgd } from '../../../src/optim/keras.js'
import { constantLR, linearLR, oneCycleLR } from '../../../src/optim/schedules/torch.js'
import { setBackend } from '../../../src/runtime/index.js'
import * as Fn from '../../../src/tensor/functional/index.js'
import * as T from '../../../src/tensor/index.js'

// Values at the edges of domains, as PyTorch 2 and Keras 3 give them.

setBackend(createInterpreterBackend())
const values = async (x: T.Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array, Number)
const gradient = async (f: (x: T.Tensor) => T.Tensor, x: T.Tensor): Promise<number[]> => {
  const parameter = new T.Parameter(x)
  return values(T.grad(f(parameter.value).sum(), [parameter])[0])
}

test('gradients where a function has none are zero', async () => {
  assert.deepEqual(await gradient((x) => T.atan2(x, 0), T.tensor([0, 2])), [0, 0])
  assert.deepEqual(await gradient((x) => Fn.lpPool1d(x, 2, 2), T.tensor([[[0, 0, 3, 4]]])), [
    0,
    0,
    Math.fround(0.6),
    Math.fround(0.8),
  ])
  const none = Number.NEGATIVE_INFINITY
  // The first sum is the element itself.
  assert.deepEqual(await gradient((x) => T.logcumsumexp(x, 0), T.tensor([none, none])), [1, 0])
})

test('singular and empty matrices have determinants; solve broadcasts matrices', async () => {
  assert.deepEqual(
    await values(
      T.det(
        T.tensor([
          [0, 0],
          [0, 0],
        ]),
      ),
    ),
    [0],
  )
  assert.deepEqual(
    (
      await gradient(
        (x) => T.det(x),
        T.tensor([
          [1, 2],
          [2, 4],
        ]),
      )
    ).map(Math.abs),
    [0, 0, 0, 0],
  )
  assert.deepEqual(await values(T.det(T.zeros([2, 0, 0]))), [1, 1])
  assert.deepEqual(T.solve(T.zeros([2, 3, 3]), T.zeros([3, 2])).shape, [2, 3, 2])
})

test('schedules of no steps, and one cycle by epochs', () => {
  assert.equal(constantLR(1, { factor: 0.5, totalIters: 0 }).at(3), 0.5)
  assert.equal(linearLR(1, { startFactor: 0.25, totalIters: 0 }).at(3), 0.25)
  const [a, b] = [{ totalSteps: 10 }, { epochs: 2, stepsPerEpoch: 5 }].map((of) => oneCycleLR(0, { maxLr: 1, ...of }))
  assert.equal(a.at(4), b.at(4))
  assert.throws(() => oneCycleLR(0, { maxLr: 1 }), RangeError)
})

test('a moving average moves at every step, also while gradients are accumulated', async () => {
  const p = new T.Parameter(T.tensor([0]), { name: 'p' })
  const options = { learningRate: 1, useEma: true, emaMomentum: 0.5, gradientAccumulationSteps: 2, lossScaleFactor: 2 }
  const optimizer = kerasSgd(options).bind([p])
  const step = T.jit((g: T.Tensor) => {
    optimizer.step([g])
    return [p.value, optimizer.slots(p).ema.value]
  })
  const seen: number[][] = []
  for (let t = 0; t < 3; t++) seen.push((await Promise.all(step(T.tensor([2])).map(values))).flat())
  // Twice the gradient 1; the average is the parameter until the first update.
  assert.deepEqual(seen, [
    [0, 0],
    [-1, -1],
    [-1, -1],
  ])
})
