import { layerNorm } from '../../tensor/functional/index.js'
import { add, gelu, jit, narrow, ones, softmax, sum, type Tensor, zeros } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { randn } from './data.js'

interface Op {
  /** Shapes of the operands. */
  readonly shapes: readonly (readonly number[])[]
  readonly run: (...operands: Tensor[]) => Tensor
  readonly inner: number
  /** Entries of the leading dimension that are computed a second time; all of them where absent. */
  readonly checked?: number
  readonly tolerance?: number
}

function prepare(name: string, { shapes, run, inner, checked, tolerance = 1e-6 }: Op): Prepared {
  const sets = Array.from({ length: RING }, (_, slot) =>
    shapes.map((shape, i) => randn(shape, slot * shapes.length + i)),
  )
  const step = jit(run, { name })
  const head = (x: Tensor): Tensor => (checked === undefined ? x : narrow(x, 0, 0, checked))
  return {
    work: { inner },
    ring: RING,
    step: (slot) => [step(...sets[slot])],
    check: {
      part: ([result]) => [result.ndim === 0 ? result : head(result)],
      reference: () => [run(...sets[0].map(head))],
      tolerance,
    },
  }
}

const normalize = (): ((x: Tensor) => Tensor) => {
  const [weight, bias] = [ones([768]), zeros([768])]
  return (x) => layerNorm(x, 768, { weight, bias })
}

const OPS: Readonly<Record<string, () => Op>> = {
  op_add_16: () => ({ shapes: [[16], [16]], run: add, inner: 2000 }),
  op_add_1m: () => ({ shapes: [[1 << 20], [1 << 20]], run: add, inner: 50 }),
  op_softmax_128x12x128: () => ({ shapes: [[12, 128, 128]], run: (x) => softmax(x, -1), inner: 50, checked: 2 }),
  op_layernorm_1024x768: () => ({ shapes: [[1024, 768]], run: normalize(), inner: 50, checked: 16, tolerance: 1e-5 }),
  op_gelu_1024x3072: () => ({ shapes: [[1024, 3072]], run: (x) => gelu(x), inner: 50, checked: 16 }),
  op_sum_1m: () => ({ shapes: [[1 << 20]], run: (x) => sum(x), inner: 50, tolerance: 1e-5 }),
}

export const OP_CASES: BenchCases = Object.fromEntries(
  Object.entries(OPS).map(([name, op]) => [name, () => prepare(name, op())]),
)
