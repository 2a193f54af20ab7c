import { type Optimizer, torch } from '../../optim/index.js'
import { crossEntropy } from '../../tensor/functional/index.js'
import { jit, linear, Parameter, relu, type Tensor, valueAndGrad } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { labels, randn } from './data.js'

const [INPUTS, HIDDEN, CLASSES] = [784, 256, 10]

type OptimizerMaker = (parameters: readonly Parameter[]) => Pick<Optimizer, 'step'>

interface Network {
  readonly parameters: readonly Parameter[]
  forward(x: Tensor): Tensor
}

/** 784 inputs, 256 rectified units, 10 classes; uniform-like initial weights of the usual scale, the same at every call. */
function network(): Network {
  const scale = (fanIn: number): number => 1 / Math.sqrt(3 * fanIn)
  const weights = [
    randn([HIDDEN, INPUTS], 11, scale(INPUTS)),
    randn([HIDDEN], 12, scale(INPUTS)),
    randn([CLASSES, HIDDEN], 13, scale(HIDDEN)),
    randn([CLASSES], 14, scale(HIDDEN)),
  ]
  const parameters = weights.map((weight, i) => new Parameter(weight, { name: `weight${i}` }))
  const [w1, b1, w2, b2] = parameters
  return {
    parameters,
    forward: (x) => linear(relu(linear(x, w1, b1)), w2, b2),
  }
}

interface Trainer {
  step(x: Tensor, y: Tensor): Tensor
  readonly parameters: readonly Parameter[]
}

function trainer(makeOptimizer: OptimizerMaker): Trainer {
  const { parameters, forward } = network()
  const optimizer = makeOptimizer(parameters)
  const step = jit(
    (x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(forward(x), y), [...parameters])()
      optimizer.step(grads)
      return value
    },
    { name: 'mlp_train' },
  )
  return { step, parameters }
}

const count = (parameters: readonly Parameter[]): number =>
  parameters.reduce((total, { shape }) => total + shape.reduce((product, extent) => product * extent, 1), 0)

/** Forward, backward and update of one batch of 64. */
function training(makeOptimizer: OptimizerMaker, tolerance: number): Prepared {
  const batch = 64
  const images = Array.from({ length: RING }, (_, slot) => randn([batch, INPUTS], slot))
  const targets = Array.from({ length: RING }, (_, slot) => labels(batch, CLASSES, slot))
  const { step, parameters } = trainer(makeOptimizer)
  return {
    work: { items: batch, inner: 200, params: count(parameters) },
    ring: RING,
    step: (slot) => [step(images[slot], targets[slot])],
    check: {
      // The first step was taken just before: its loss and the weights after it.
      part: ([loss]) => [loss, ...parameters.map((parameter) => parameter.value)],
      reference: () => {
        const other = trainer(makeOptimizer)
        return [other.step(images[0], targets[0]), ...other.parameters.map((parameter) => parameter.value)]
      },
      tolerance,
    },
  }
}

function inference(batch: number): Prepared {
  const images = Array.from({ length: RING }, (_, slot) => randn([batch, INPUTS], slot))
  const { forward, parameters } = network()
  const step = jit((x: Tensor) => forward(x), { name: 'mlp_infer' })
  return {
    work: { items: batch, inner: 200, params: count(parameters) },
    ring: RING,
    step: (slot) => [step(images[slot])],
    check: { part: (results) => results, reference: () => [forward(images[0])], tolerance: 1e-5 },
  }
}

export const MLP_CASES: BenchCases = {
  mlp_train_b64: () => training((parameters) => torch.sgd(parameters, { lr: 0.01 }), 1e-5),
  // Adam's first update is lr * g / (|g| + 1e-8), so rounding shows where a gradient is next to nothing.
  mlp_train_b64_adam: () => training((parameters) => torch.adam(parameters, { lr: 1e-3 }), 1e-3),
  mlp_infer_b64: () => inference(64),
  mlp_infer_b1: () => inference(1),
}
