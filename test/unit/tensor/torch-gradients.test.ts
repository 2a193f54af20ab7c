import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { createInterpreterBackend } from '../../../src/backends/interpreter/index.js'
import '../../../src/node.js'
import { type Backend, currentBackend, setBackend } from '../../../src/runtime/index.js'
import * as Fn from '../../../src/tensor/functional/index.js'
import * as T from '../../../src/tensor/index.js'

/** Gradients at NaN, infinities and ties as in torch: `data/torch_gradients.py` made the numbers. */

interface Case {
  readonly name: string
  readonly inputs: readonly { readonly shape: number[]; readonly data: readonly (number | string)[] }[]
  readonly output: readonly (number | string)[]
  readonly grads: readonly (readonly (number | string)[] | null)[]
}

const { cases } = JSON.parse(readFileSync(new URL('data/torch_gradients.json', import.meta.url), 'utf8')) as {
  cases: readonly Case[]
}

type Fun = (...xs: T.Tensor[]) => T.Tensor

const index = T.tensor(
  [
    [0, 1, 1, 2],
    [0, 0, 0, 0],
  ],
  { dtype: 'i32' },
)
const quantile =
  (interpolation: T.QuantileOptions['interpolation']): Fun =>
  (x, q) =>
    T.quantile(x, q, 1, { interpolation })
const spread = (correction: number): Record<string, Fun> => ({
  [`var_${correction}`]: (x) => T.variance(x, 1, { correction }),
  [`std_${correction}`]: (x) => T.std(x, 1, { correction }),
})

const FUNCTIONS: Readonly<Record<string, Fun>> = {
  amax: (x) => T.amax(x, 1),
  amin: (x) => T.amin(x, 1),
  max: (x) => T.max(x).reshape([1]),
  min: (x) => T.min(x).reshape([1]),
  norm_inf: (x) => T.vectorNorm(x, Number.POSITIVE_INFINITY, 1),
  quantile_linear: quantile('linear'),
  quantile_midpoint: quantile('midpoint'),
  quantile_higher: quantile('higher'),
  ...spread(0),
  ...spread(1),
  ...spread(4),
  ...spread(6),
  nansum: (x) => T.div(T.nansum(x, 1), T.tensor([0, 1, 2, 3])),
  xlogy: (x, y) => T.xlogy(x, y),
  kl_div: (x, t) => Fn.klDiv(x, t, { reduction: 'none' }),
  clamp: (x, low, high) => T.clamp(x, low, high),
  scatter: (x, s) => T.scatter(x, 1, index, s),
  scatter_amax: (x, s) => T.scatterReduce(x, 1, index, s, 'amax'),
  scatter_amin: (x, s) => T.scatterReduce(x, 1, index, s, 'amin'),
  grid_sample: (x, grid) => Fn.gridSample(x, grid, { alignCorners: false }),
  max_pool: (x) => Fn.maxPool2d(x, 3, { stride: 2, padding: 1 }),
}

async function same(got: T.Tensor, want: readonly (number | string)[], what: string): Promise<void> {
  const values = Array.from(await got.data(), Number)
  assert.equal(values.length, want.length, what)
  values.forEach((value, i) => {
    const expected = Number(want[i])
    const near = Math.abs(value - expected) <= 1e-5 * Math.max(1, Math.abs(expected))
    assert.ok(Object.is(value, expected) || value === expected || near, `${what}[${i}]: ${value}, ${expected}`)
  })
}

const own = currentBackend()
const backends: readonly Backend[] = own.name === 'interpreter' ? [own] : [own, createInterpreterBackend()]
after(() => setBackend(own))

for (const { name, inputs, output, grads } of cases) {
  test(`${name}: torch's results and gradients at the edges`, async () => {
    for (const backend of backends) {
      setBackend(backend)
      const xs = inputs.map(({ shape, data }) => T.tensor(Float32Array.from(data, Number), { shape }))
      const parameters = xs.map((x) => new T.Parameter(x))
      const values = parameters.map((parameter) => parameter.value)
      const y = FUNCTIONS[name](...values)
      const weights = T.tensor(Float32Array.from({ length: y.size }, (_, i) => i + 1)).reshape(y.shape)
      const gradients = T.grad(T.mul(y, weights).sum(), values)
      await same(y, output, `${backend.name}: ${name}`)
      for (const [i, want] of grads.entries())
        if (want) await same(gradients[i], want, `${backend.name}: ${name}, gradient ${i}`)
    }
  })
}
