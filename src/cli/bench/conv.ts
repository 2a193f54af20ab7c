import { conv2d, type Layout } from '../../tensor/functional/index.js'
import { gradients, jit, mul, narrow, sum, type Tensor } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { randn } from './data.js'

interface Conv {
  readonly kernel: number
  readonly input: number
  readonly output: number
  /** Height and width of the input. */
  readonly size: number
  readonly stride: number
  readonly batch: number
  readonly layout: Layout
}

const channels = (layout: Layout): number => (layout === 'channelsLast' ? 3 : 1)

/** Shape of a batch of images. */
const images = ({ batch, layout }: Conv, features: number, size: number): number[] =>
  layout === 'channelsLast' ? [batch, size, size, features] : [batch, features, size, size]

const weights = ({ kernel, input, output, layout }: Conv): Tensor => {
  const shape = layout === 'channelsLast' ? [kernel, kernel, input, output] : [output, input, kernel, kernel]
  return randn(shape, 1, 1 / Math.sqrt(input * kernel * kernel))
}

/** Kernels are odd and padded by half of themselves. */
const outputSize = ({ size, stride }: Conv): number => Math.floor((size - 1) / stride) + 1

const flopsOf = (conv: Conv): number =>
  2 * conv.batch * outputSize(conv) ** 2 * conv.output * conv.input * conv.kernel ** 2

/** Steps of one timed sample, as the peers take. */
const INNER = 5

const apply = ({ stride, kernel, layout }: Conv, x: Tensor, weight: Tensor, bias: Tensor): Tensor =>
  conv2d(x, weight, { bias, stride, padding: Math.floor(kernel / 2), layout })

function forward(conv: Conv): Prepared {
  const inputs = Array.from({ length: RING }, (_, slot) => randn(images(conv, conv.input, conv.size), slot + 3))
  const [weight, bias] = [weights(conv), randn([conv.output], 2)]
  const step = jit((x: Tensor) => apply(conv, x, weight, bias), { name: 'conv' })
  const feature = channels(conv.layout)
  const outputs = Math.min(4, conv.output)
  const checked = (y: Tensor): Tensor => narrow(narrow(y, 0, 0, 1), feature, 0, outputs)
  return {
    work: { flops: flopsOf(conv), inner: INNER },
    ring: RING,
    step: (slot) => [step(inputs[slot])],
    check: {
      part: ([y]) => [checked(y)],
      reference: () => {
        const few = narrow(weight, conv.layout === 'channelsLast' ? 3 : 0, 0, outputs)
        return [apply(conv, narrow(inputs[0], 0, 0, 1), few, narrow(bias, 0, 0, outputs))]
      },
      tolerance: 1e-5,
    },
  }
}

/**
 * Forward (its result is returned, or it would not be computed) and the gradients by input, kernel and bias. The check holds the
 * gradient by the bias: sums of the cotangent.
 */
function training(conv: Conv): Prepared {
  const inputs = Array.from({ length: RING }, (_, slot) => randn(images(conv, conv.input, conv.size), slot + 3))
  const [weight, bias] = [weights(conv), randn([conv.output], 2)]
  const cotangent = randn(images(conv, conv.output, outputSize(conv)), 9)
  const step = jit(
    (x: Tensor, w: Tensor, b: Tensor) => {
      const y = apply(conv, x, w, b)
      return [y, ...gradients(sum(mul(y, cotangent)), [x, w, b])]
    },
    { name: 'conv_train' },
  )
  const others = conv.layout === 'channelsLast' ? [0, 1, 2] : [0, 2, 3]
  return {
    work: { flops: 3 * flopsOf(conv), inner: INNER },
    ring: RING,
    step: (slot) => step(inputs[slot], weight, bias),
    check: { part: (results) => [results[3]], reference: () => [sum(cotangent, others)], tolerance: 1e-4 },
  }
}

/** ResNet-50's shapes: kernel, input and output features, size, stride. */
const SHAPES: readonly (readonly [number, number, number, number, number])[] = [
  [3, 64, 64, 56, 1],
  [3, 128, 128, 28, 1],
  [3, 256, 256, 14, 1],
  [3, 512, 512, 7, 1],
  [3, 128, 128, 56, 2],
  [1, 64, 256, 56, 1],
  [1, 256, 64, 56, 1],
  [1, 1024, 256, 14, 1],
  [7, 3, 64, 224, 2],
]

const LAYOUTS: readonly (readonly [string, Layout])[] = [
  ['', 'channelsFirst'],
  ['_cl', 'channelsLast'],
]

export const CONV_CASES: BenchCases = Object.fromEntries(
  SHAPES.flatMap(([kernel, input, output, size, stride]) =>
    [1, 8].flatMap((batch) =>
      LAYOUTS.flatMap(([suffix, layout]) => {
        const conv: Conv = { kernel, input, output, size, stride, batch, layout }
        const name = `conv_${kernel}x${kernel}_${input}to${output}_${size}_s${stride}_b${batch}${suffix}`
        return [[name, () => forward(conv)] as const, [`${name}_train`, () => training(conv)] as const]
      }),
    ),
  ),
)
