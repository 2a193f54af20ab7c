import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as nn from '../../../src/nn/index.js'
import { type Tensor, tensor, transpose } from '../../../src/tensor/index.js'
import { numbers, wave } from './helpers.js'

/** torch.nn's recurrent modules: names, shapes, results of packed sequences; `data/torch_rnn.py` made the numbers. */

interface Case {
  readonly kind: 'LSTM' | 'GRU' | 'RNN'
  readonly options: Readonly<Record<string, unknown>>
  readonly keys: Readonly<Record<string, number[]>>
  readonly output: readonly number[]
  readonly states: readonly number[][]
}

const { cases } = JSON.parse(readFileSync(new URL('data/torch_rnn.json', import.meta.url), 'utf8')) as {
  cases: readonly Case[]
}

async function close(got: Tensor, want: readonly number[], what: string): Promise<void> {
  const values = await numbers(got)
  assert.equal(values.length, want.length, what)
  values.forEach((value, i) => {
    assert.ok(Math.abs(value - want[i]) <= 3e-6, `${what}[${i}]: ${value}, ${want[i]}`)
  })
}

const camel = (options: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(options).map(([key, value]) => [key.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), value]),
  )

for (const { kind, options, keys, output, states } of cases) {
  test(`${kind} ${JSON.stringify(options)} as in torch`, async () => {
    const module = new nn.torch[kind](3, 4, camel(options))
    const parameters = module.stateDict()
    assert.deepEqual(Object.fromEntries(Object.entries(parameters).map(([key, { shape }]) => [key, [...shape]])), keys)
    for (const [i, key] of Object.keys(keys).entries()) parameters[key].value = wave(keys[key], i + 1)
    const x = wave([2, 5, 3], 10)
    const given = options.batch_first ? x : transpose(x, 0, 1)
    const result = module.eval().forward(given, { lengths: tensor(Int32Array.of(5, 3), { shape: [2] }) })
    await close(result.output, output, 'output')
    await close(result.h, states[0], 'h')
    if ('c' in result) await close(result.c as Tensor, states[1], 'c')
  })
}
