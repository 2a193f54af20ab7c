import assert from 'node:assert/strict'
import { test } from 'node:test'
import '../../../src/node.js'
import { getLoss, reduceLoss } from '../../../src/nn/index.js'
import { type Tensor, tensor } from '../../../src/tensor/index.js'
import { makeMetric } from '../../../src/train/index.js'

type Rows = number[] | number[][] | number[][][]
const ints = (values: Rows): Tensor => tensor(values, { dtype: 'i32' })

/** The statistic after updates, as Keras' class of that name with that configuration. */
async function statistic(class_name: string, config: object, ...updates: [Tensor, Tensor][]): Promise<number> {
  const [[yTrue, yPred]] = updates
  const metric = makeMetric({ class_name, config: { ...config } }, { yTrue: yTrue.shape, yPred: yPred.shape })
  for (const [y, p] of updates) metric.update(y, p)
  return metric.result().item()
}

const close = (got: number, want: number): void => assert.ok(Math.abs(got - want) < 1e-6, `${got}, expected ${want}`)

// Expected values are those of Keras 3.15.
test('metrics with options give what Keras gives', async () => {
  const y = tensor([
    [1, 2],
    [3, 5],
    [0, 1],
  ])
  const p = tensor([
    [1.5, 2],
    [2, 4],
    [1, 1.5],
  ])
  close(await statistic('R2Score', { num_regressors: 2 }, [y, p]), 0.47802191972732544)
  close(
    await statistic('R2Score', {}, [
      tensor([
        [1, 1],
        [1, 1],
        [1, 1],
      ]),
      p,
    ]),
    0,
  )
  close(await statistic('PearsonCorrelation', { axis: 0 }, [y, p]), 0.9903029799461365)
  close(await statistic('ConcordanceCorrelation', { axis: 0 }, [y, p]), 0.7346938848495483)
  // Equal scores share a place.
  const scores = tensor([
    [1, 1, 0],
    [0, 1, 1],
    [0, 0, 0],
  ])
  close(await statistic('SparseTopKCategoricalAccuracy', { k: 1 }, [ints([1, 0, 2]), scores]), 2 / 3)
  const sorted = ints([
    [2, 1, 0],
    [1, 2, 0],
    [2, 0, 1],
  ])
  const bySorted = { k: 2, from_sorted_ids: true }
  close(await statistic('SparseTopKCategoricalAccuracy', bySorted, [ints([1, 0, 2]), sorted]), 2 / 3)
  // Without a dimension of features every element is an example.
  const halves: [Tensor, Tensor][] = [
    [tensor([0, 1, 1]), tensor([0.6, 0.7, 0.2])],
    [tensor([0]), tensor([0.1])],
  ]
  close(await statistic('BinaryAccuracy', {}, ...halves), 0.5)
  close(await statistic('RootMeanSquaredError', {}, ...halves), 0.5244044661521912)
})

test('losses along another axis, and Tversky, are those of Keras', async () => {
  const y = tensor([
    [
      [1, 0],
      [0, 1],
      [0, 0],
    ],
  ])
  const p = tensor([
    [
      [0.5, 0.2],
      [0.3, 0.7],
      [0.2, 0.1],
    ],
  ])
  const value = (name: string, config: Record<string, unknown>): Promise<number> =>
    reduceLoss(getLoss(name, config)(y, p)).item()
  close(await value('CategoricalCrossentropy', { axis: 1 }), 0.5249110460281372)
  close(await value('CategoricalCrossentropy', { axis: 1, from_logits: true }), 0.8538902997970581)
  close(await value('Tversky', { alpha: 0.3, beta: 0.8 }), 0.42307692766189575)
  close(await value('CosineSimilarity', { axis: 1 }), -0.8818432688713074)
})
