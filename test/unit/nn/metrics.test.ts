import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as nn from '../../../src/nn/index.js'
import { sgd } from '../../../src/optim/keras.js'
import { tensor } from '../../../src/tensor/index.js'
import { makeMetric } from '../../../src/train/index.js'
import { numbers } from './helpers.js'

const yTrue = tensor([
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
  [0, 1, 0],
])
const yPred = tensor([
  [0.7, 0.2, 0.1],
  [0.3, 0.4, 0.3],
  [0.6, 0.1, 0.3],
  [0.1, 0.8, 0.1],
])
const shapes = { yTrue: yTrue.shape, yPred: yPred.shape }

const resultOf = async (class_name: string, config: Record<string, unknown>): Promise<number[]> => {
  const metric = makeMetric({ class_name, config }, shapes)
  metric.update(yTrue.narrow(0, 0, 3), yPred.narrow(0, 0, 3))
  metric.update(yTrue.narrow(0, 3, 1), yPred.narrow(0, 3, 1))
  return (await numbers(metric.result())).map((value) => Math.round(value * 1e4) / 1e4)
}

test('counts at thresholds, of classes and among the largest', async () => {
  assert.deepEqual(await resultOf('Precision', {}), [0.6667])
  // Above 0.25 stand 0.7; 0.3, 0.4, 0.3; 0.6, 0.3; 0.8.
  assert.deepEqual(await resultOf('Precision', { thresholds: [0.25, 0.75] }), [0.5714, 1])
  assert.deepEqual(await resultOf('Recall', { top_k: 1 }), [0.75])
  assert.deepEqual(await resultOf('Recall', { class_id: 1, thresholds: 0.5 }), [0.5])
  assert.deepEqual(await resultOf('SpecificityAtSensitivity', { sensitivity: 1 }), [0.625])
})

test('scores of classes apart, and overlap of one-hot labels', async () => {
  assert.deepEqual(await resultOf('F1Score', { average: null }), [0.6667, 1, 0])
  assert.deepEqual(await resultOf('OneHotIoU', { num_classes: 3, target_class_ids: [0, 1] }), [0.75])
})

test('a metric with several results is numbered in the logs', async () => {
  const model = nn.sequential([nn.input([3]), nn.activation('linear')])
  model.compile({ loss: 'mse', metrics: [{ class_name: 'F1Score', config: { name: 'f1', average: null } }] })
  const logs = await model.evaluate(yPred, yTrue)
  assert.deepEqual(Object.keys(logs), ['loss', 'f1_0', 'f1_1', 'f1_2'])
})

test('masked positions count in neither losses nor metrics', async () => {
  const model = nn.sequential([
    nn.input([3], { dtype: 'i32' }),
    nn.embedding(3, 2, { maskZero: true, embeddingsInitializer: 'zeros' }),
    nn.dense(2, { activation: 'softmax', biasInitializer: nn.constantInitializer(0) }),
  ])
  model.compile({ loss: 'sparse_categorical_crossentropy', metrics: ['accuracy'] })
  // Both classes are equally likely, so the first is chosen: right at two of the three positions that count.
  const logs = await model.evaluate(tensor([[1, 2, 1]], { dtype: 'i32' }), tensor([[0, 1, 0]], { dtype: 'i32' }))
  assert.ok(Math.abs(logs.accuracy - 2 / 3) < 1e-6)
  const masked = await model.evaluate(tensor([[1, 0, 0]], { dtype: 'i32' }), tensor([[0, 1, 1]], { dtype: 'i32' }))
  assert.equal(masked.accuracy, 1)
  assert.ok(Math.abs(masked.loss - Math.log(2)) < 1e-5, `${masked.loss}`)
})

test('losses take a reduction, and refuse those they do not know', async () => {
  const sum = nn.getLoss({ class_name: 'MeanSquaredError', config: { reduction: 'sum' } })
  const [y, p] = [tensor([[0], [0]]), tensor([[1], [2]])]
  assert.equal(await nn.reduceLoss(sum(y, p)).item(), 5)
  assert.throws(() => nn.getLoss({ class_name: 'Hinge', config: { reduction: 'none' } }), /reduction must be/)
  assert.throws(() => nn.getLoss('mean_squared'), /unknown loss 'mean_squared'; known: meansquarederror/)
  assert.throws(() => makeMetric('f2', shapes), /unknown metric 'f2'; known/)
})

test('training with a moving average ends with the average in the weights', async () => {
  const model = nn.sequential([nn.input([1]), nn.dense(1, { useBias: false, kernelInitializer: 'zeros' })])
  const optimizer = sgd({ learningRate: 0.5, useEma: true, emaMomentum: 0.5 })
  model.compile({ optimizer, loss: 'mse' })
  await model.fit(tensor([[1]]), tensor([[1]]), { epochs: 2 })
  // w: 0, 1 (gradient -2), 1; the average starts at the first value: 1, then 1.
  assert.deepEqual(await numbers(model.weights[0]), [1])
  model.setWeights([tensor([[3]])])
  await model.fit(tensor([[1]]), tensor([[1]]), { epochs: 1 })
  // w: 3 -> 1 (gradient 4); the average stays 1.
  assert.deepEqual(await numbers(model.weights[0]), [1])
})
