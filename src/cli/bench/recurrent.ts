import { type Optimizer, torch } from '../../optim/index.js'
import { crossEntropy, gru, lstm } from '../../tensor/functional/index.js'
import { jit, linear, Parameter, select, type Tensor, valueAndGrad } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { labels, randn } from './data.js'

interface Shape {
  readonly batch: number
  readonly steps: number
  readonly features: number
  readonly units: number
}

const CLASSES = 10

const RUN = { lstm: { run: lstm, gates: 4 }, gru: { run: gru, gates: 3 } } as const
type Kind = keyof typeof RUN

interface Trainer {
  step(x: Tensor, y: Tensor): Tensor
  readonly parameters: readonly Parameter[]
}

/** One recurrent layer and a classifier of its last state; initial weights of the usual scale, the same at every call. */
function trainer(kind: Kind, { features, units }: Shape): Trainer {
  const { run, gates } = RUN[kind]
  const scale = 1 / Math.sqrt(3 * units)
  const shapes = [
    [gates * units, features],
    [gates * units, units],
    [gates * units],
    [gates * units],
    [CLASSES, units],
    [CLASSES],
  ]
  const parameters = shapes.map((shape, i) => new Parameter(randn(shape, 11 + i, scale), { name: `weight${i}` }))
  const [weightIh, weightHh, biasIh, biasHh, head, bias] = parameters
  const optimizer: Pick<Optimizer, 'step'> = torch.adam(parameters, { lr: 1e-3 })
  const step = jit(
    (x: Tensor, y: Tensor) => {
      const loss = (): Tensor => {
        const { output } = run(x, [{ weightIh, weightHh, biasIh, biasHh }], { batchFirst: true })
        return crossEntropy(linear(select(output, 1, -1), head, bias), y)
      }
      const { value, grads } = valueAndGrad(loss, parameters)()
      optimizer.step(grads)
      return value
    },
    { name: `${kind}_train` },
  )
  return { step, parameters }
}

/** Forward, backward through time and Adam. The interpreter checks a smaller twin, which it can run in a second. */
function training(kind: Kind, shape: Shape): Prepared {
  const { batch, steps, features } = shape
  const inputs = Array.from({ length: RING }, (_, slot) => randn([batch, steps, features], slot))
  const targets = Array.from({ length: RING }, (_, slot) => labels(batch, CLASSES, slot))
  const { step } = trainer(kind, shape)
  const small = { batch: 5, steps: 7, features: 9, units: 40 }
  const twin = (): Tensor[] => {
    const other = trainer(kind, small)
    const loss = other.step(randn([small.batch, small.steps, small.features], 1), labels(small.batch, CLASSES, 1))
    return [loss, ...other.parameters.map((parameter) => parameter.value)]
  }
  return {
    work: { items: batch, inner: 2 },
    ring: RING,
    step: (slot) => [step(inputs[slot], targets[slot])],
    // Adam's first update is lr * g / (|g| + 1e-8), so rounding shows where a gradient is next to nothing.
    check: { part: twin, reference: twin, tolerance: 1e-3 },
  }
}

const SHAPE: Shape = { batch: 32, steps: 64, features: 128, units: 256 }

export const RECURRENT_CASES: BenchCases = {
  lstm_train_b32_s64_h256: () => training('lstm', SHAPE),
  gru_train_b32_s64_h256: () => training('gru', SHAPE),
}
