import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as nn from '../../../src/nn/index.js'
import * as optim from '../../../src/optim/index.js'
import { grad, jit, mul, Parameter, type Tensor, tensor } from '../../../src/tensor/index.js'
import { numbers, wave } from './helpers.js'

/** Weight norm and spectral norm against torch: `data/torch_parametrizations.py` made the numbers. */

type Flat = Readonly<Record<string, readonly number[]>>

interface Case {
  readonly kind: 'weight' | 'spectral'
  readonly module: 'Linear' | 'Conv1d' | 'Conv2d' | 'LSTM' | 'LayerNorm'
  readonly name: string
  readonly shape: number[]
  readonly options: { dim?: number | null; n_power_iterations?: number; eps?: number }
  readonly calls: readonly ('train' | 'eval')[]
  readonly keys: Readonly<Record<string, number[]>>
  readonly outputs: readonly number[][]
  readonly grads: readonly Flat[]
  readonly after: Flat
}

const { cases } = JSON.parse(readFileSync(new URL('data/torch_parametrizations.json', import.meta.url), 'utf8')) as {
  cases: readonly Case[]
}

async function close(got: Tensor, want: readonly number[], what: string): Promise<void> {
  const values = await numbers(got)
  assert.equal(values.length, want.length, what)
  values.forEach((value, i) => {
    assert.ok(Math.abs(value - want[i]) <= 3e-6 * Math.max(1, Math.abs(want[i])), `${what}[${i}]: ${value}, ${want[i]}`)
  })
}

const MODULES: Record<Case['module'], () => nn.Module & { forward(x: Tensor): Tensor | { output: Tensor } }> = {
  Linear: () => new nn.torch.Linear(4, 3),
  Conv1d: () => new nn.torch.Conv1d(4, 6, 3),
  Conv2d: () => new nn.torch.Conv2d(2, 3, 2),
  LSTM: () => new nn.torch.LSTM(2, 3),
  LayerNorm: () => new nn.torch.LayerNorm(4),
}

function parametrized({ kind, module, name, options }: Case) {
  const made = MODULES[module]()
  const { dim, n_power_iterations: nPowerIterations, eps } = options
  return kind === 'weight'
    ? nn.torch.weightNorm(made, name, dim)
    : nn.torch.spectralNorm(made, name, { nPowerIterations, eps, dim: dim ?? undefined })
}

for (const item of cases) {
  test(`${item.kind} norm of ${item.module}.${item.name} ${JSON.stringify(item.options)} as in torch`, async () => {
    const module = parametrized(item)
    const shapes = Object.fromEntries(Object.entries(module.stateDict()).map(([key, { shape }]) => [key, [...shape]]))
    assert.deepEqual(shapes, item.keys)
    const keys = Object.keys(item.keys).sort()
    module.loadStateDict(
      Object.fromEntries(
        keys.map((key, i) => [key, item.keys[key].length > 0 ? wave(item.keys[key], i + 1) : tensor(0.7)]),
      ),
    )
    for (const [call, mode] of item.calls.entries()) {
      module.train(mode === 'train')
      const result = module.forward(wave(item.shape, 10 + call))
      const y = 'output' in result ? result.output : result
      const trained = [...module.namedParameters()].filter(({ parameter }) => parameter.trainable)
      assert.deepEqual(trained.map(({ name }) => name).sort(), Object.keys(item.grads[call]).sort())
      const gradients = grad(
        mul(y, wave(y.shape, 20)).sum(),
        trained.map(({ parameter }) => parameter),
      )
      await close(y, item.outputs[call], `call ${call}`)
      for (const [i, { name }] of trained.entries())
        await close(gradients[i], item.grads[call][name], `call ${call}, gradient of ${name}`)
    }
    for (const [key, parameter] of Object.entries(module.stateDict()))
      await close(parameter.value, item.after[key], `${key} afterwards`)
  })
}

test('files from before parametrizations load, and what does not fit is named', async () => {
  const module = new nn.torch.Sequential(nn.torch.weightNorm(new nn.torch.Linear(4, 3)))
  module.loadStateDict({ '0.weight_g': wave([3, 1], 1), '0.weight_v': wave([3, 4], 2), '0.bias': wave([3], 3) })
  await close(
    module.stateDict()['0.parametrizations.weight.original0'].value,
    await numbers(wave([3, 1], 1)),
    'lengths',
  )
  const spectral = nn.torch.spectralNorm(new nn.torch.Linear(4, 3, { bias: false }))
  const old = { weight_orig: wave([3, 4], 1), weight_u: wave([3], 2), weight_v: wave([4], 3) }
  spectral.loadStateDict(old)
  await close(spectral.stateDict()['parametrizations.weight.0._v'].value, await numbers(wave([4], 3)), 'v')
  assert.throws(
    () => spectral.loadStateDict({ weight: wave([3, 4], 1) }),
    /missing keys: .*original.*unexpected keys: weight$/,
  )
  assert.throws(() => spectral.loadStateDict({ ...old, weight_u: wave([4], 1) }), /weight_u must have shape \[3\]/)
  assert.deepEqual(spectral.loadStateDict({ a: 1 }, { strict: false }).unexpected, ['a'])
})

test('a normed weight trains in a compiled step; giving it a value and removing the norm keep that value', async () => {
  const module = nn.torch.spectralNorm(nn.torch.weightNorm(new nn.torch.Linear(4, 3)), 'bias')
  const optimizer = optim.torch.sgd(module.trainableParameters(), { lr: 0.1 })
  const step = jit((x: Tensor) => {
    const loss = module.forward(x).square().mean()
    optimizer.step(grad(loss, module.trainableParameters()))
    return loss
  })
  const before = await step(wave([2, 4], 1)).item()
  for (let i = 0; i < 20; i++) await step(wave([2, 4], 1)).item()
  assert.ok((await step(wave([2, 4], 1)).item()) < before)
  module.weight.value = wave([3, 4], 5)
  await close(module.weight.value, await numbers(wave([3, 4], 5)), 'assigned')
  nn.torch.removeParametrizations(module, 'weight')
  assert.deepEqual(Object.keys(module.stateDict()), ['weight', 'parametrizations.bias.original'])
  await close(module.weight.value, await numbers(wave([3, 4], 5)), 'kept')
  assert.ok(module.weight instanceof Parameter)
})

test('wrong uses of parametrizations are refused', () => {
  const module = nn.torch.weightNorm(new nn.torch.Linear(4, 3))
  assert.throws(() => nn.torch.weightNorm(module), /parametrized already/)
  assert.throws(() => nn.torch.weightNorm(module, 'gain'), /no parameter 'gain'/)
  assert.throws(() => nn.torch.spectralNorm(new nn.torch.Linear(4, 3), 'weight', { dim: 2 }), /dim must lie/)
  assert.throws(() => nn.torch.removeParametrizations(module, 'bias'), /no parametrized 'bias'/)
  assert.throws(() => grad(module.forward(wave([2, 4], 1)).sum(), module.weight), /computed from other parameters/)
})
