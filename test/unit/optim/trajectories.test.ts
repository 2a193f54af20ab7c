import assert from 'node:assert/strict'
import { test } from 'node:test'
import '../../../src/node.js'
import { keras, timm, torch, transformers } from '../../../src/optim/index.js'
import { setBackend } from '../../../src/runtime/index.js'
import { jit, Parameter, type Tensor, tensor } from '../../../src/tensor/index.js'

setBackend('interpreter')

type Nested = number[] | number[][]

interface Stepper {
  step(grads: readonly Tensor[]): void
}

/** Values of one parameter after each of the gradients. */
async function follow(
  start: Nested,
  grads: readonly Nested[],
  make: (params: Parameter[]) => Stepper,
): Promise<number[][]> {
  const param = new Parameter(tensor(start), { name: 'w' })
  const optimizer = make([param])
  const step = jit((grad: Tensor) => {
    optimizer.step([grad])
    return param.value
  })
  const values: number[][] = []
  for (const grad of grads) values.push([...(await step(tensor(grad)).data())].map(Number))
  return values
}

function near(got: number[][], want: number[][], tolerance = 1e-6): void {
  assert.deepEqual(
    got.map((row) => row.length),
    want.map((row) => row.length),
  )
  got.forEach((row, t) => {
    row.forEach((value, i) => {
      assert.ok(Math.abs(value - want[t][i]) <= tolerance, `update ${t + 1}, element ${i}: ${value}, not ${want[t][i]}`)
    })
  })
}

test('torch adagrad divides by the root of the sum of squares, from its initial value', async () => {
  const got = await follow([1], [[3], [4]], (p) => torch.adagrad(p, { lr: 0.5, lrDecay: 1, eps: 0 }))
  // sums 9, 25; rates 0.5, 0.25
  near(got, [[0.5], [0.3]])
  const started = await follow([1], [[3]], (p) => torch.adagrad(p, { lr: 0.5, initialAccumulatorValue: 16, eps: 0 }))
  near(started, [[0.7]])
})

test('torch adadelta takes the ratio of two running means', async () => {
  const got = await follow([1], [[2]], (p) => torch.adadelta(p, { rho: 0.5, eps: 1 }))
  // mean of squares 2: sqrt(1) / sqrt(3) * 2
  near(got, [[1 - 2 / Math.sqrt(3)]])
})

test('torch adamax keeps the largest decayed gradient', async () => {
  const got = await follow([1], [[2], [-1]], (p) => torch.adamax(p, { lr: 0.1, betas: [0.5, 0.5], eps: 0 }))
  // means 1, 0; corrections 0.5, 0.75; norms 2, 1
  near(got, [[0.9], [0.9]])
})

test('torch nadam weighs gradient and mean by the warming momentum', async () => {
  const got = await follow([1], [[2]], (p) => torch.nadam(p, { lr: 0.1, betas: [0.5, 0.5], eps: 0, momentumDecay: 1 }))
  const mu1 = 0.5 * (1 - 0.5 * 0.96)
  const mu2 = 0.5 * (1 - 0.5 * 0.96 ** 2)
  // corrected root is 2, mean is 1
  near(got, [[1 - 0.1 * ((1 - mu1) / (1 - mu1)) - (0.1 * mu2 * 0.5) / (1 - mu1 * mu2)]])
})

test('torch radam starts as momentum without adaptation', async () => {
  const got = await follow([1], [[2], [2]], (p) => torch.radam(p, { lr: 0.1 }))
  near(got, [[0.8], [0.6]])
})

test('torch rprop grows steps while the sign stays, and skips the update where it turns', async () => {
  const got = await follow([0], [[1], [5], [-1], [-1]], (p) => torch.rprop(p, { lr: 0.1 }))
  // steps 0.1, 0.12, 0.06 (skipped), 0.06
  near(got, [[-0.1], [-0.22], [-0.22], [-0.16]])
})

test('timm lion moves by the sign and decays first', async () => {
  const got = await follow([1, -1], [[3, -0.1]], (p) => timm.lion(p, { lr: 0.1, weightDecay: 0.5 }))
  near(got, [[0.85, -0.85]])
})

test('timm lion with caution drops steps against the gradient and scales the rest up', async () => {
  const grads = [
    [10, 1],
    [-0.5, 1],
  ]
  const got = await follow([0, 0], grads, (p) => timm.lion(p, { lr: 0.1, caution: true }))
  // second update of the first element: sign(0.9 * 0.1 - 0.1 * 0.5) is against its gradient
  near(got, [
    [-0.1, -0.1],
    [-0.1, -0.3],
  ])
})

test('lamb scales the step to the size of the parameter', async () => {
  const got = await follow([3, 4], [[0.2, 0.2]], (p) => timm.lamb(p, { lr: 0.1, alwaysAdapt: true, weightDecay: 0 }))
  // Adam's first step is the sign, of norm sqrt(2); the parameter's norm is 5
  const move = (0.1 * 5) / Math.sqrt(2)
  near(got, [[3 - move, 4 - move]], 1e-4)
  const own = await follow([3, 4], [[0.2, 0.2]], (p) => keras.lamb({ learningRate: 0.1 }).bind(p))
  near(own, [[3 - move, 4 - move]], 1e-4)
})

test('adafactor of a matrix: the first moment estimate is the outer product of its row and column means', async () => {
  const grad = [
    [1, 2],
    [3, 4],
  ]
  // squares: row means 2.5, 12.5 (mean 7.5), column means 5, 10
  const second = [(2.5 * 5) / 7.5, (2.5 * 10) / 7.5, (12.5 * 5) / 7.5, (12.5 * 10) / 7.5]
  const update = grad.flat().map((g, i) => g / Math.sqrt(second[i]))
  const clip = Math.max(1, Math.sqrt(update.reduce((sum, u) => sum + u * u, 0) / 4))
  const start = [
    [1, 1],
    [1, 1],
  ]
  const want = [update.map((u) => 1 - (0.01 * u) / clip)]
  near(await follow(start, [grad], (p) => torch.adafactor(p)), want)
  near(await follow(start, [grad], (p) => transformers.adafactor(p)), want)
  near(await follow(start, [grad], (p) => keras.adafactor({ learningRate: 0.01 }).bind(p)), want)
})

test('adafactor keeps factors instead of a whole second moment', () => {
  const param = new Parameter(tensor([[[1, 2, 3]], [[4, 5, 6]]]), { name: 'w' })
  const shapes = (optimizer: { slots(p: Parameter): Readonly<Record<string, Parameter>> }) =>
    Object.fromEntries(Object.entries(optimizer.slots(param)).map(([name, { shape }]) => [name, [...shape]]))
  assert.deepEqual(shapes(torch.adafactor([param])), { row_var: [2, 1, 1], col_var: [2, 1, 3] })
  assert.deepEqual(shapes(transformers.adafactor([param])), { exp_avg_sq_row: [2, 1], exp_avg_sq_col: [2, 3] })
})

test('keras ftrl zeroes what the L1 strength outweighs', async () => {
  const got = await follow([0, 0], [[0.5, 3]], (p) =>
    keras.ftrl({ learningRate: 0.5, initialAccumulatorValue: 0, l1RegularizationStrength: 1 }).bind(p),
  )
  // linear 0.5, 3; quadratic |g| / 0.5
  near(got, [[0, -2 / 6]])
})

test('keras adagrad adds epsilon inside of the root', async () => {
  const got = await follow([1], [[2]], (p) =>
    keras.adagrad({ learningRate: 1, initialAccumulatorValue: 3, epsilon: 2 }).bind(p),
  )
  near(got, [[1 - 2 / 3]])
})

test('muon makes the update of a multiple of an orthogonal matrix independent of its size', async () => {
  const eye = (scale: number) => [
    [scale, 0],
    [0, scale],
  ]
  const moves = await Promise.all(
    [1, 50].map((scale) => follow(eye(0), [eye(scale)], (p) => torch.muon(p, { lr: 1, weightDecay: 0 }))),
  )
  near(moves[0], moves[1], 1e-6)
  const [[move]] = moves[0]
  // the quintic iteration settles between about 0.7 and 1.2
  assert.ok(move < -0.65 && move > -1.25, `${move}`)
})

test('muon refuses what is not a matrix, and keras muon gives it to AdamW', () => {
  const vector = new Parameter(tensor([1, 2]), { name: 'bias' })
  assert.throws(() => torch.muon([vector]), /muon updates matrices only, got bias of shape \[2\]/)
  assert.deepEqual(Object.keys(keras.muon().bind([vector]).slots(vector)), ['momentum', 'velocity'])
  const table = new Parameter(tensor([[1, 2]]), { name: 'embedding/embeddings' })
  assert.deepEqual(Object.keys(keras.muon().bind([table]).slots(table)), ['momentum', 'velocity'])
  assert.deepEqual(Object.keys(keras.muon({ excludeEmbeddings: false }).bind([table]).slots(table)), ['momentum'])
})

test('lookahead moves slow weights by alpha every k updates', async () => {
  const got = await follow([0], [[1], [1], [1], [1]], (p) => torch.sgd(p, { lr: 1, lookahead: { k: 2, alpha: 0.5 } }))
  near(got, [[-1], [-1], [-2], [-2]])
})

test('options out of range are named', () => {
  assert.throws(() => torch.adamax([], { betas: [0.9, 1] }), /adamax: betas must be in \[0, 1\), got 1/)
  assert.throws(() => torch.nadam([], { lr: -1 }), /nadam: lr must be at least 0, got -1/)
  assert.throws(() => transformers.adafactor([], { lr: 0.1 }), /either lr or relativeStep/)
  assert.throws(() => torch.sgd([], { lookahead: { k: 0, alpha: 0.5 } }), /lookahead: expected an integer k > 0/)
})
