import { test } from 'node:test'
import * as k from '../../../src/tensor/index.js'
import { checkGradient, f64 } from './helpers.js'

type Case = readonly [name: string, f: (...xs: k.Tensor[]) => k.Tensor, inputs: () => readonly k.Tensor[]]

const one =
  (low: number, high: number, shape: readonly number[] = [3, 4]) =>
  (): readonly k.Tensor[] => [f64(shape, low, high, 3)]
const two =
  (low: number, high: number): (() => readonly k.Tensor[]) =>
  () => [f64([3, 4], low, high, 3), f64([4], low, high, 5)]

const CASES: readonly Case[] = [
  ['sinh', k.sinh, one(-3, 3)],
  ['cosh', k.cosh, one(-3, 3)],
  ['asinh', k.asinh, one(-3, 3)],
  ['acosh', k.acosh, one(1.1, 5)],
  ['atanh', k.atanh, one(-0.9, 0.9)],
  ['asin', k.asin, one(-0.9, 0.9)],
  ['acos', k.acos, one(-0.9, 0.9)],
  ['atan', k.atan, one(-3, 3)],
  ['exp2', k.exp2, one(-2, 2)],
  ['log10', k.log10, one(0.5, 2)],
  ['logit', (x) => k.logit(x), one(0.1, 0.9)],
  ['sinc', k.sinc, one(0.1, 2)],
  ['sigmoid', k.sigmoid, one(-3, 3)],
  ['silu', k.silu, one(-3, 3)],
  ['gelu', (x) => k.gelu(x), one(-3, 3)],
  ['gelu by tanh', (x) => k.gelu(x, { approximate: 'tanh' }), one(-3, 3)],
  ['mish', k.mish, one(-3, 3)],
  ['softplus', (x) => k.softplus(x, { beta: 2 }), one(-3, 3)],
  ['logSigmoid', k.logSigmoid, one(-3, 3)],
  ['elu', (x) => k.elu(x, 1.3), one(-3, 3)],
  ['celu', (x) => k.celu(x, 1.3), one(-3, 3)],
  ['glu', (x) => k.glu(x), one(-3, 3)],
  ['softsign', k.softsign, one(0.2, 3)],
  ['hypot', k.hypot, two(0.5, 2)],
  ['logaddexp', k.logaddexp, two(-2, 2)],
  ['lerp', (x, y) => k.lerp(x, y, 0.3), two(-2, 2)],
  ['pow', k.pow, two(0.5, 2)],
  ['remainder', k.remainder, two(0.6, 0.9)],
  ['xlogy', k.xlogy, two(0.5, 2)],
  ['addcdiv', (x, y) => k.addcdiv(x, x, y, 0.5), two(0.5, 2)],
  ['softmax', (x) => k.softmax(x, 0), one(-2, 2)],
  ['logSoftmax', (x) => k.logSoftmax(x), one(-2, 2)],
  ['logsumexp', (x) => k.logsumexp(x, 1), one(-2, 2)],
  ['std', (x) => k.std(x, 1), one(-2, 2)],
  ['variance', (x) => k.variance(x, 0, { correction: 0 }), one(-2, 2)],
  ['vectorNorm 3', (x) => k.vectorNorm(x, 3, 1), one(0.2, 2)],
  ['vectorNorm 0.5', (x) => k.vectorNorm(x, 0.5, 1), one(0.2, 2)],
  ['normalize', (x) => k.normalize(x), one(0.2, 2)],
  ['cdist', (x) => k.cdist(x, x.add(1)), one(-1, 1)],
  ['cosineSimilarity', (x, y) => k.cosineSimilarity(x, y), two(0.2, 2)],
  ['quantile', (x) => k.quantile(x, [0.3, 0.8], 1), one(-2, 2)],
  ['cov', (x) => k.cov(x), one(-2, 2)],
  ['corrcoef', (x) => k.corrcoef(x).at(0, [1]), one(-2, 2)],
  ['cumprod', (x) => k.cumprod(x, 1), one(-2, 2)],
  ['logcumsumexp', (x) => k.logcumsumexp(x, 1), one(-2, 2)],
  ['cummax', (x) => k.cummax(x, 1).values, one(-2, 2)],
  ['sort', (x) => k.sort(x, 1).values, one(-2, 2)],
  ['topK', (x) => k.topK(x, 2, 0).values, one(-2, 2)],
  ['roll and pad', (x) => k.pad(k.roll(x, 1, 1), [1, 2], { mode: 'reflect' }), one(-2, 2)],
  ['diagEmbed', (x) => k.diagEmbed(x, -1), one(-2, 2)],
  ['unfold', (x) => k.unfold(x, 1, 2, 1), one(-2, 2)],
  ['at', (x) => x.at(k.tensor([0, 0, 2], { dtype: 'i32' }), '::-1'), one(-2, 2)],
  ['setAt', (x, y) => k.setAt(x, [1], y), two(-2, 2)],
]

for (const [name, f, inputs] of CASES) {
  test(`gradient of ${name}`, () => checkGradient(f, inputs()))
}

const SECOND: readonly Case[] = [
  ['sigmoid', k.sigmoid, one(-3, 3)],
  ['silu', k.silu, one(-3, 3)],
  ['softmax', (x) => k.softmax(x), one(-2, 2)],
  ['logSoftmax', (x) => k.logSoftmax(x), one(-2, 2)],
  ['cumsum', (x) => k.square(k.cumsum(x, 1)), one(-2, 2)],
  ['hypot', k.hypot, two(0.5, 2)],
]

for (const [name, f, inputs] of SECOND) {
  test(`second gradient of ${name}`, () =>
    checkGradient((x, ...rest) => k.grad(k.sum(k.square(f(x, ...rest))), [x])[0], inputs(), 1e-5))
}
