// A two-layer network in the NumPy style: forward, backward and update written out, then the same gradients from `grad`.
import { grad, matmul, mean, random, relu, seed, square, sub, type Tensor, tensor } from 'kaimo'

seed(1)
const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
])
const y = tensor([[0], [1], [1], [0]])

interface Weights {
  w1: Tensor
  b1: Tensor
  w2: Tensor
  b2: Tensor
}

const loss = ({ w1, b1, w2, b2 }: Weights): Tensor =>
  mean(square(sub(matmul(relu(matmul(x, w1).add(b1)), w2).add(b2), y)))

/** Chain rule by hand. */
function gradientsByHand({ w1, b1, w2, b2 }: Weights): Weights {
  const z = matmul(x, w1).add(b1)
  const h = relu(z)
  const error = matmul(h, w2).add(b2).sub(y).mul(2).div(y.size)
  const back = matmul(error, w2.t()).mul(z.gt(0).to('f32'))
  return { w1: matmul(x.t(), back), b1: back.sum(0), w2: matmul(h.t(), error), b2: error.sum(0) }
}

let weights: Weights = {
  w1: random.normal([2, 8]),
  b1: tensor(new Float32Array(8)),
  w2: random.normal([8, 1]),
  b2: tensor([0]),
}

const byGrad = grad(loss)(weights)
const byHand = gradientsByHand(weights)
const largest = await Promise.all(
  (['w1', 'b1', 'w2', 'b2'] as const).map((name) => sub(byGrad[name], byHand[name]).abs().amax().item()),
)
console.log(`largest difference between grad and hand: ${Math.max(...largest).toExponential(1)}`)

for (let step = 1; step <= 500; step++) {
  const g = gradientsByHand(weights)
  weights = {
    w1: sub(weights.w1, g.w1.mul(0.1)),
    b1: sub(weights.b1, g.b1.mul(0.1)),
    w2: sub(weights.w2, g.w2.mul(0.1)),
    b2: sub(weights.b2, g.b2.mul(0.1)),
  }
  if (step % 100 === 0) console.log(`step ${step}: loss ${(await loss(weights).item()).toFixed(5)}`)
}
