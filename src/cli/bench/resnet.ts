import { sizeOf } from '../../ir/index.js'
import { torch } from '../../optim/index.js'
import {
  batchNormTrain,
  conv2d,
  crossEntropy,
  type Layout,
  maxPool2d,
  runningStatistics,
} from '../../tensor/functional/index.js'
import { add, jit, linear, mean, ones, Parameter, relu, type Tensor, valueAndGrad, zeros } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { labels, randn } from './data.js'

const CLASSES = 10

interface Network {
  readonly layout: Layout
  /** Height and width of the images; 32 takes the stem that is usual for CIFAR, 3x3 without pooling. */
  readonly size: number
  /** Features of the four stages. */
  readonly widths: readonly number[]
}

/** The 18-layer residual network (He et al. 2016), two basic blocks a stage, with torchvision's placement of strides. */
class ResNet18 {
  readonly parameters: Parameter[] = []
  private readonly forwards: ((x: Tensor) => Tensor)[] = []
  private readonly head: readonly [Parameter, Parameter]

  constructor(private readonly network: Network) {
    const { widths, size } = network
    const small = size <= 32
    const stem = this.unit(3, widths[0], small ? 3 : 7, small ? 1 : 2)
    this.forwards.push((x) => relu(stem(x)))
    if (!small) this.forwards.push((x) => this.pool(x))
    widths.forEach((width, stage) => {
      const from = stage === 0 ? width : widths[stage - 1]
      this.forwards.push(this.block(from, width, stage === 0 ? 1 : 2), this.block(width, width, 1))
    })
    const last = widths[widths.length - 1]
    this.head = [this.weight([CLASSES, last], last), this.parameter(zeros([CLASSES]))]
  }

  /** Loss of a batch: images in the network's layout, labels [B]. */
  loss(images: Tensor, targets: Tensor): Tensor {
    const features = this.forwards.reduce((x, forward) => forward(x), images)
    const pooled = mean(features, this.network.layout === 'channelsLast' ? [1, 2] : [2, 3])
    return crossEntropy(linear(pooled, ...this.head), targets)
  }

  private parameter(value: Tensor, trainable = true): Parameter {
    const parameter = new Parameter(value, { trainable })
    if (trainable) this.parameters.push(parameter)
    return parameter
  }

  private weight(shape: readonly number[], fanIn: number): Parameter {
    return this.parameter(randn(shape, this.parameters.length + 20, Math.sqrt(2 / fanIn)))
  }

  /** Convolution and batch norm with its running statistics. */
  private unit(from: number, to: number, kernel: number, stride: number): (x: Tensor) => Tensor {
    const { layout } = this.network
    const last = layout === 'channelsLast'
    const weight = this.weight(last ? [kernel, kernel, from, to] : [to, from, kernel, kernel], from * kernel * kernel)
    const [scale, shift] = [this.parameter(ones([to])), this.parameter(zeros([to]))]
    const [runningMean, runningVar] = [this.parameter(zeros([to]), false), this.parameter(ones([to]), false)]
    return (x) => {
      const y = conv2d(x, weight, { stride, padding: Math.floor(kernel / 2), layout })
      const batch = batchNormTrain(y, { weight: scale, bias: shift, layout })
      const before = { mean: runningMean, variance: runningVar }
      const running = runningStatistics(before, batch, { convention: 'torch', count: y.size / to })
      runningMean.value = running.mean
      runningVar.value = running.variance
      return batch.output
    }
  }

  private block(from: number, to: number, stride: number): (x: Tensor) => Tensor {
    const [first, second] = [this.unit(from, to, 3, stride), this.unit(to, to, 3, 1)]
    const shortcut = from === to && stride === 1 ? null : this.unit(from, to, 1, stride)
    return (x) => relu(add(second(relu(first(x))), shortcut ? shortcut(x) : x))
  }

  private pool(x: Tensor): Tensor {
    return maxPool2d(x, 3, { stride: 2, padding: 1, layout: this.network.layout })
  }
}

const images = (batch: number, { layout, size }: Network, seed: number): Tensor =>
  randn(layout === 'channelsLast' ? [batch, size, size, 3] : [batch, 3, size, size], seed)

/** Forward, backward and update (SGD with momentum and weight decay) of one batch. */
function training(batch: number, network: Network): Prepared {
  const model = new ResNet18(network)
  const optimizer = torch.sgd(model.parameters, { lr: 0.1, momentum: 0.9, weightDecay: 5e-4 })
  const step = jit(
    (x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => model.loss(x, y), model.parameters)()
      optimizer.step(grads)
      return value
    },
    { name: 'resnet18_train' },
  )
  const ring = Array.from({ length: RING }, (_, slot) => images(batch, network, slot))
  const targets = Array.from({ length: RING }, (_, slot) => labels(batch, CLASSES, slot))
  // A narrow twin, since the interpreter would take minutes over the whole network; wide enough for the kernels by Winograd.
  const twinOf = { ...network, size: network.size <= 32 ? 16 : 48, widths: [32, 32, 48, 48] }
  const twin = new ResNet18(twinOf)
  const [few, fewTargets] = [images(2, twinOf, 1), labels(2, CLASSES, 1)]
  const gradients = (): readonly Tensor[] => {
    const { value, grads } = valueAndGrad(() => twin.loss(few, fewTargets), twin.parameters)()
    return [value, grads[0], grads[grads.length - 2]]
  }
  return {
    work: { items: batch, params: model.parameters.reduce((total, { shape }) => total + sizeOf(shape), 0) },
    ring: RING,
    step: (slot) => [step(ring[slot], targets[slot])],
    check: { part: gradients, reference: gradients, tolerance: 1e-4 },
  }
}

const WIDTHS = [64, 128, 256, 512]

export const RESNET_CASES: BenchCases = Object.fromEntries(
  [
    [128, 32],
    [16, 224],
  ].flatMap(([batch, size]) => [
    [`resnet18_train_b${batch}_${size}`, () => training(batch, { layout: 'channelsFirst', size, widths: WIDTHS })],
    [`resnet18_train_b${batch}_${size}_cl`, () => training(batch, { layout: 'channelsLast', size, widths: WIDTHS })],
  ]),
)
