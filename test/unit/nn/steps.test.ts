import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nn, tensor } from 'kaimo'
import { callContext } from '../../../src/nn/index.js'

const stepsOf = (
  model: nn.Sequential | nn.Functional,
  x = tensor([[1, 2]]),
): { pauses: number; shape: readonly number[] } => {
  const steps = model.runSteps(x, callContext(false))
  for (let pauses = 0; ; pauses++) {
    const step = steps.next()
    if (!step.done) continue
    assert(!Array.isArray(step.value))
    return { pauses, shape: step.value.shape }
  }
}

test('a model pauses after each of its layers, and after each of a model inside it', () => {
  const inner = nn.sequential([nn.dense(4, { inputShape: [3] }), nn.dense(5)])
  const outer = nn.sequential([nn.dense(3, { inputShape: [2] }), inner, nn.dense(1)])
  assert.deepEqual(stepsOf(outer), { pauses: 5, shape: [1, 1] })
})

test('in steps and at once a functional model computes the same', async () => {
  const input = nn.input([2])
  const hidden = nn.dense(3, { activation: 'tanh' }).apply(input)
  const model = nn.model({ inputs: input, outputs: nn.add().apply([hidden, nn.dense(3).apply(input)]) })
  const x = tensor([[0.5, -1]])
  assert.deepEqual(stepsOf(model, x), { pauses: 3, shape: [1, 3] })
  const steps = model.runSteps(x, callContext(false))
  let step = steps.next()
  while (!step.done) step = steps.next()
  assert(!Array.isArray(step.value))
  assert.deepEqual(await step.value.toArray(), await model.forward(x).toArray())
})
