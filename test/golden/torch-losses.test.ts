import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { GPT2LMHeadModel } from '../../src/models/gpt2.js'
import type { ModelInputs, PreTrainedModel } from '../../src/models/index.js'
import { ResNetForImageClassification } from '../../src/models/resnet.js'
import '../../src/node.js'
import { fnv1a32 } from '../../src/data/index.js'
import { torch } from '../../src/optim/index.js'
import { setBackend } from '../../src/runtime/index.js'
import { gradients, jit, type Shape, sizeOf, type Tensor, tensor } from '../../src/tensor/index.js'

/** What torch-losses/make.py writes. */
interface Record {
  readonly config: object
  readonly gain: number
  readonly shape: Shape
  readonly ring: number
  readonly losses: readonly number[]
}

const TOLERANCE = 1e-4

const read = <T>(name: string): Record & T =>
  JSON.parse(readFileSync(new URL(`torch-losses/${name}.json`, import.meta.url), 'utf8')) as Record & T

/** The number in [0, 1) of a name's hash and a place. */
function uniform(hash: number, place: number): number {
  let x = (hash + Math.imul(place, 0x9e3779b9)) >>> 0
  x ^= x >>> 16
  x = Math.imul(x, 0x7feb352d)
  x ^= x >>> 15
  x = Math.imul(x, 0x846ca68b)
  x ^= x >>> 16
  return (x >>> 0) / 2 ** 32
}

function fill(name: string, shape: Shape, low: number, high: number): Tensor {
  const hash = fnv1a32(name)
  const values = new Float32Array(sizeOf(shape))
  for (let i = 0; i < values.length; i++) values[i] = low + (high - low) * uniform(hash, i)
  return tensor(values, { shape })
}

function integers(name: string, shape: Shape, below: number): Tensor {
  const hash = fnv1a32(name)
  return tensor(
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => Math.floor(uniform(hash, i) * below)),
    { shape },
  )
}

function bounds(name: string, shape: Shape, gain: number): [low: number, high: number] {
  if (name.endsWith('running_var')) return [0.5, 1.5]
  if (name.endsWith('running_mean')) return [-0.2, 0.2]
  if (shape.length >= 2) {
    const bound = gain * Math.sqrt(3 / sizeOf(shape.slice(1)))
    return [-bound, bound]
  }
  return shape.length === 1 && name.endsWith('weight') ? [0.8, 1.2] : [-0.1, 0.1]
}

function setWeights(model: PreTrainedModel, gain: number): void {
  for (const { name, parameter } of model.namedParameters())
    if (parameter.dtype === 'f32') parameter.value = fill(name, parameter.shape, ...bounds(name, parameter.shape, gain))
}

type Optimizer = ReturnType<typeof torch.sgd> | ReturnType<typeof torch.adamw>

async function lossesOf(
  model: PreTrainedModel,
  record: Record,
  optimizer: Optimizer,
  batch: (slot: number) => ModelInputs,
): Promise<number[]> {
  model.train()
  setWeights(model, record.gain)
  const step = jit((inputs: ModelInputs): Tensor => {
    const { loss } = model.forward(inputs)
    assert.ok(loss)
    optimizer.step(gradients(loss, optimizer.parameters))
    return loss
  })
  const losses: number[] = []
  for (let i = 0; i < record.losses.length; i++) losses.push(await step(batch(i % record.ring)).item())
  return losses
}

function holds(got: readonly number[], want: readonly number[]): void {
  assert.equal(want.length, 20)
  want.forEach((loss, step) => {
    const error = Math.abs(got[step] - loss) / loss
    assert.ok(error <= TOLERANCE, `step ${step}: ${got[step]}, PyTorch ${loss}, off by ${error.toExponential(1)}`)
  })
}

let unavailable = ''
before(() => {
  try {
    setBackend('cpu')
  } catch (error) {
    unavailable = error instanceof Error ? error.message : String(error)
  }
})

test('ResNet-18 under SGD loses what PyTorch loses', async (t) => {
  if (unavailable) return t.skip(unavailable)
  const record = read<{ sgd: { lr: number; momentum: number; weight_decay: number } }>('resnet18')
  const model = ResNetForImageClassification.fromConfig(record.config)
  const { lr, momentum, weight_decay: weightDecay } = record.sgd
  const optimizer = torch.sgd(model.trainableParameters(), { lr, momentum, weightDecay })
  const losses = await lossesOf(model, record, optimizer, (slot) => ({
    pixel_values: fill(`images.${slot}`, record.shape, -2, 2),
    labels: integers(`labels.${slot}`, record.shape.slice(0, 1), 10),
  }))
  holds(losses, record.losses)
})

test('GPT-2 small under AdamW loses what PyTorch loses', async (t) => {
  if (unavailable) return t.skip(unavailable)
  const record = read<{
    adamw: { lr: number; betas: [number, number]; eps: number; weight_decay: number }
  }>('gpt2')
  const model = GPT2LMHeadModel.fromConfig(record.config)
  const { lr, betas, eps, weight_decay: weightDecay } = record.adamw
  const optimizer = torch.adamw(model.trainableParameters(), { lr, betas, eps, weightDecay })
  const losses = await lossesOf(model, record, optimizer, (slot) => {
    const ids = integers(`ids.${slot}`, record.shape, 50257)
    return { input_ids: ids, labels: ids }
  })
  holds(losses, record.losses)
})
