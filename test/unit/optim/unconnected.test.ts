import assert from 'node:assert/strict'
import { test } from 'node:test'
import '../../../src/node.js'
import { keras, torch } from '../../../src/optim/index.js'
import { gradients, jit, Parameter, square, sum, tensor } from '../../../src/tensor/index.js'

const parameters = (): [Parameter, Parameter] => [
  new Parameter(tensor([1, 2]), { name: 'used' }),
  new Parameter(tensor([3, 4]), { name: 'unused' }),
]

// As in PyTorch and Keras, where such a parameter has no gradient (None).
test('a parameter that the loss does not depend on does not decay', async () => {
  const makers = [
    (params: Parameter[]) => torch.adamw(params, { lr: 0.1, weightDecay: 0.5, maxGradNorm: 1 }),
    (params: Parameter[]) => torch.sgd(params, { lr: 0.1, weightDecay: 0.5 }),
    (params: Parameter[]) =>
      keras
        .adamw({ learningRate: 0.1, weightDecay: 0.5, clipnorm: 1, useEma: true, gradientAccumulationSteps: 2 })
        .bind(params),
  ]
  for (const make of makers) {
    const [used, unused] = parameters()
    const optimizer = make([used, unused])
    const step = jit(() => {
      const loss = sum(square(used.value))
      optimizer.step(gradients(loss, optimizer.parameters))
      return loss
    })
    for (let i = 0; i < 4; i++) await step().data()
    if (optimizer.common.useEma) optimizer.finalizeEma()
    assert.deepEqual(await unused.value.toArray(), [3, 4])
    assert.notDeepEqual(await used.value.toArray(), [1, 2])
  }
})
