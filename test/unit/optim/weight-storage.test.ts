import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nn } from '../../../src/node.js'
import { keras, torch } from '../../../src/optim/index.js'
import { grad, gradients, jit, matmul, Parameter, scan, sum, type Tensor, tensor } from '../../../src/tensor/index.js'
import { saveModel, TrainingCheckpoint } from '../../../src/train/index.node.js'

const f32 = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor(Float32Array.from(values), { shape })

const STEPS = 8

/** Separable points, the same at every call. */
function data(): [Tensor, Tensor] {
  const x = Float32Array.from({ length: 64 * 6 }, (_, i) => Math.sin(i * 1.7 + (i % 11)))
  const y = Int32Array.from({ length: 64 }, (_, i) => Number(x[i * 6] + x[i * 6 + 1] * x[i * 6 + 2] > 0))
  return [tensor(x, { shape: [64, 6] }), tensor(y, { shape: [64] })]
}

function network(): nn.Sequential {
  const model = nn.sequential([
    nn.dense(16, { name: 'hidden', activation: 'tanh', inputShape: [6] }),
    nn.dense(2, { name: 'classes' }),
  ])
  model.ensureBuilt([null, 6])
  for (const [i, parameter] of model.parameters().entries())
    parameter.value = tensor(
      Float32Array.from({ length: parameter.shape.reduce((a, b) => a * b, 1) }, (_, k) => 0.4 * Math.sin(3 * k + i)),
      { shape: parameter.shape },
    )
  return model
}

const LOSS = { class_name: 'SparseCategoricalCrossentropy', config: { from_logits: true } }
type Storage = 'bf16' | 'f16' | null

async function train(
  weightStorage: Storage,
  epochs = 12,
  callbacks: TrainingCheckpoint[] = [],
): Promise<[nn.Sequential, number[]]> {
  const model = network()
  model.compile({ optimizer: keras.adam({ learningRate: 0.02 }), loss: LOSS, weightStorage })
  const [x, y] = data()
  const history = await model.fit(x, y, { epochs, batchSize: STEPS, shuffle: false, callbacks })
  return [model, history.history.loss as number[]]
}

test('training with 16-bit weights and f32 masters follows f32: bf16 within 2 %, f16 within 0.5 % of the loss', async () => {
  const [, plain] = await train(null)
  assert.ok(plain[11] < 0.6 * plain[0])
  for (const [storage, tolerance] of [
    ['bf16', 0.02],
    ['f16', 0.005],
  ] as const) {
    const [model, losses] = await train(storage)
    losses.forEach((loss, i) => {
      assert.ok(Math.abs(loss - plain[i]) <= tolerance * plain[i], `${storage}, epoch ${i}: ${loss} and ${plain[i]}`)
    })
    const [kernel, bias] = model.parameters()
    assert.deepEqual([kernel.storage, kernel.dtype, bias.storage], [storage, 'f32', 'f32'])
    assert.equal(kernel.stored.dtype, storage)
    assert.deepEqual(
      await kernel.value.data(),
      Float32Array.from((await kernel.stored.to('f32').data()) as Float32Array),
    )
  }
})

test('updates too small for 16 bits add up in the master', async () => {
  const weight = new Parameter(f32([1, 1], [1, 2]), { name: 'w' })
  const optimizer = torch.sgd([weight], { lr: 1e-3, weightStorage: 'bf16' })
  const step = jit(() => optimizer.step(gradients(sum(weight.value), [weight])))
  for (let i = 0; i < 20; i++) step()
  const { master } = optimizer.slots(weight)
  assert.ok(Math.abs(((await master.value.data()) as Float32Array)[0] - 0.98) < 1e-5)
  assert.equal(((await weight.value.data()) as Float32Array)[0], 0.98046875)
})

test('what is written to a stored weight from outside is taken up, elsewhere the master stays', async () => {
  const weight = new Parameter(f32([1, 2 / 3], [1, 2]), { name: 'w' })
  const optimizer = torch.sgd([weight], { lr: 0, weightStorage: 'bf16' })
  weight.value = f32([5, 2 / 3], [1, 2])
  optimizer.step(gradients(sum(weight.value), [weight]))
  assert.deepEqual(await optimizer.slots(weight).master.value.data(), Float32Array.of(5, 2 / 3))
})

test('gradients of stored weights are f32, inside loops too', async () => {
  const weight = new Parameter(f32([1, 2, 3, 4], [2, 2])).store('f16')
  const x = f32([1e-9, 1], [1, 2])
  const [direct] = gradients(sum(matmul(x, weight)), [weight])
  assert.equal(direct.dtype, 'f32')
  assert.deepEqual(await direct.data(), Float32Array.of(1e-9, 1e-9, 1, 1))
  const looped = (): Tensor => {
    const [last] = scan((h: Tensor, _: Tensor) => [matmul(h, weight), h] as const, x, f32([0, 0], [2]))
    return sum(last)
  }
  const [wrt] = gradients(looped(), [weight])
  const plain = grad((w: Tensor) => sum(matmul(matmul(x, w), w)))(weight.value)
  assert.deepEqual(await wrt.data(), await plain.data())
})

test('constraints, moving averages and accumulation go to the master', async () => {
  const weight = new Parameter(f32([0.3, 0.4], [2, 1]), { name: 'w' })
  const optimizer = keras.sgd({ learningRate: 0.01, weightStorage: 'bf16', useEma: true, gradientAccumulationSteps: 2 })
  optimizer.bind([weight])
  const step = jit(() => {
    optimizer.step(gradients(sum(weight.value), [weight]))
    optimizer.project(weight, (value) => value.div(3))
  })
  step()
  step()
  const { master } = optimizer.slots(weight)
  const [first] = (await master.value.data()) as Float32Array
  assert.ok(Math.abs(first - (0.3 / 3 - 0.01) / 3) < 1e-7, `${first}`)
  optimizer.swapEma()
  optimizer.swapEma()
  assert.equal(((await master.value.data()) as Float32Array)[0], first)
})

/** Size of the weights of a saved model. */
async function fileBytes(folder: string, storage: 'bf16' | null): Promise<number> {
  const model = nn.sequential([nn.dense(256, { inputShape: [256] })])
  if (storage) model.parameters()[0].store(storage)
  const path = join(folder, `${storage}`)
  await saveModel(model, path)
  return (await stat(join(path, 'model.safetensors'))).size
}

test('16-bit weights halve the files, and a run goes on exactly', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kaimo-storage-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const [whole, losses] = await train('bf16', 4)
  await train('bf16', 2, [new TrainingCheckpoint(join(folder, 'run'))])
  const [resumed, after] = await train('bf16', 4, [new TrainingCheckpoint(join(folder, 'run'))])
  assert.deepEqual(after.slice(2), losses.slice(2))
  for (const [i, parameter] of whole.parameters().entries())
    assert.deepEqual(await resumed.parameters()[i].stored.raw(), await parameter.stored.raw())
  const [f32Bytes, bf16Bytes] = [await fileBytes(folder, null), await fileBytes(folder, 'bf16')]
  assert.ok(bf16Bytes < 0.52 * f32Bytes, `${bf16Bytes} of ${f32Bytes}`)
})

test('only f32 can be stored in 16 bits', () => {
  assert.throws(() => new Parameter(tensor(Int32Array.of(1), { dtype: 'i32' })).store('bf16'), /only state of f32/)
})
