import assert from 'node:assert/strict'
import { test } from 'node:test'
import { optim, Parameter, random, seed, setBackend, type Tensor } from 'kaimo'

/** Parameters after three steps with fixed gradients. */
async function trajectory(backend: string, dtype: 'f32' | 'f64', options: object): Promise<unknown> {
  setBackend(backend)
  try {
    seed(5)
    const shapes = [[7, 5], [1], [0, 3], [20_011]]
    const parameters = shapes.map((shape, i) => new Parameter(random.normal(shape).to(dtype), { name: `p${i}` }))
    const optimizer = optim.torch.adam(parameters, { lr: 0.01, ...options })
    for (let i = 0; i < 3; i++) {
      const grads: Tensor[] = shapes.map((shape) => random.normal(shape).to(dtype))
      optimizer.step(i === 1 ? grads.map((grad) => grad.mul(1e-6)) : grads)
    }
    return await Promise.all(parameters.map((parameter) => parameter.value.data()))
  } finally {
    setBackend('cpu')
  }
}

for (const dtype of ['f32', 'f64'] as const) {
  for (const [name, options] of Object.entries({
    plain: {},
    l2: { weightDecay: 0.1 },
    decoupled: { weightDecay: 0.1, decoupledWeightDecay: true },
    amsgrad: { amsgrad: true },
  })) {
    test(`adam in one kernel equals its body bit for bit: ${dtype}, ${name}`, async () => {
      assert.deepEqual(await trajectory('cpu', dtype, options), await trajectory('interpreter', dtype, options))
    })
  }
}
