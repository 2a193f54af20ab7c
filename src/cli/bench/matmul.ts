import type { DType } from '../../ir/index.js'
import { jit, linear, matmul, narrow, type Tensor } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { randnOf } from './data.js'

type Dims = readonly [m: number, k: number, n: number]

/** Rows of the product that are computed a second time. */
const CHECKED_ROWS = 4

/** Both ends of the rows, so that a wrong last tile shows. */
const rowsOf = (x: Tensor): Tensor[] => {
  const count = Math.min(CHECKED_ROWS, x.shape[0])
  return [narrow(x, 0, 0, count), narrow(x, 0, x.shape[0] - count, count)]
}

const TOLERANCE: { readonly [D in DType]?: number } = { f32: 1e-5, f16: 2e-3, bf16: 1.6e-2 }

const ring = (make: (slot: number) => Tensor): Tensor[] => Array.from({ length: RING }, (_, slot) => make(slot))

/** [m, k] times [k, n], both changing from step to step. */
function product([m, k, n]: Dims, dtype: DType): Prepared {
  const left = ring((slot) => randnOf([m, k], dtype, 2 * slot + 1))
  const right = ring((slot) => randnOf([k, n], dtype, 2 * slot + 2))
  const step = jit((a: Tensor, b: Tensor) => matmul(a, b), { name: 'mm' })
  return {
    work: { flops: 2 * m * k * n },
    ring: RING,
    step: (slot) => [step(left[slot], right[slot])],
    check: {
      part: ([result]) => rowsOf(result),
      reference: () => rowsOf(left[0]).map((rows) => matmul(rows, right[0])),
      tolerance: TOLERANCE[dtype] ?? 0,
    },
  }
}

/** x W^T + b with constant W [n, k] and b: a layer of a trained model. */
function layer([m, k, n]: Dims): Prepared {
  const inputs = ring((slot) => randnOf([m, k], 'f32', slot + 3))
  const [weight, bias] = [randnOf([n, k], 'f32', 1), randnOf([n], 'f32', 2)]
  const step = jit((x: Tensor) => linear(x, weight, bias), { name: 'linear' })
  return {
    work: { flops: 2 * m * k * n, bytes: 4 * k * n },
    ring: RING,
    step: (slot) => [step(inputs[slot])],
    check: {
      part: ([result]) => rowsOf(result),
      reference: () => rowsOf(inputs[0]).map((rows) => linear(rows, weight, bias)),
      tolerance: 1e-5,
    },
  }
}

const PRODUCTS: readonly Dims[] = [
  [1024, 1024, 1024],
  [2048, 2048, 2048],
  [128, 768, 3072],
  [1, 896, 4864],
  [1, 4096, 4096],
]
const LAYERS: readonly Dims[] = [
  [128, 768, 3072],
  [1, 896, 4864],
  [1, 4096, 4096],
]
const DTYPES: readonly DType[] = ['f32', 'bf16', 'f16']

export const MATMUL_CASES: BenchCases = Object.fromEntries([
  ...PRODUCTS.flatMap((dims) => DTYPES.map((dtype) => [`mm_${dims.join('x')}_${dtype}`, () => product(dims, dtype)])),
  ...LAYERS.map((dims) => [`linear_${dims.join('x')}_f32`, () => layer(dims)]),
])
