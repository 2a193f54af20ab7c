import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import '../../../src/node.js'
import {
  AutoModelForMaskedLM,
  AutoModelForSequenceClassification,
  type PreTrainedModel,
} from '../../../src/models/index.node.js'
import { tensor } from '../../../src/tensor/index.js'

const bert = fileURLToPath(new URL('../../golden/data/models/bert-cls', import.meta.url))
const folders: string[] = []

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kaimo-int8-'))
  folders.push(folder)
  return folder
}

after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const ids = tensor([[5, 6, 7, 8]], { dtype: 'i32' })
async function logitsOf(model: PreTrainedModel): Promise<number[]> {
  const { logits } = model.forward({ input_ids: ids })
  assert.ok(logits)
  return Array.from((await logits.data()) as Float32Array)
}

test('int8 stays close, and is saved and loaded as it is, in the layout of compressed-tensors', async () => {
  const wide = await AutoModelForSequenceClassification.fromPretrained(bert)
  const model = await AutoModelForSequenceClassification.fromPretrained(bert, { dtype: 'int8' })
  const [want, got] = [await logitsOf(wide), await logitsOf(model)]
  got.forEach((value, i) => {
    assert.notEqual(value, want[i])
    assert.ok(Math.abs(value - want[i]) < 0.05, `logit ${i}: ${value}, ${want[i]} in f32`)
  })
  const folder = await scratch()
  await model.savePretrained(folder)
  const { quantization_config: config } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
  assert.equal(config.quant_method, 'compressed-tensors')
  assert.equal(config.config_groups.group_0.input_activations.dynamic, true)
  const again = await AutoModelForSequenceClassification.fromPretrained(folder)
  assert.deepEqual(again.loadReport, { missing: [], unexpected: [], mismatched: [] })
  assert.deepEqual(await logitsOf(again), got)
  const parameters = new Map([...again.namedParameters()].map(({ name, parameter }) => [name, parameter]))
  assert.equal(parameters.get('bert.encoder.layer.0.attention.self.query.weight')?.dtype, 'i8')
  assert.deepEqual(parameters.get('bert.encoder.layer.0.attention.self.query.weight_scale')?.shape, [32, 1])
  const other = await scratch()
  await again.savePretrained(other)
  assert.deepEqual(await readFile(join(other, 'model.safetensors')), await readFile(join(folder, 'model.safetensors')))
})

test('what is tied to embeddings or starts anew stays in f32', async () => {
  const masked = await AutoModelForMaskedLM.fromPretrained(bert, { dtype: 'int8', onNote: () => {} })
  for (const { name, parameter } of masked.namedParameters()) {
    const linear = /(query|key|value|dense)\.weight$/.test(name) && !name.startsWith('cls.')
    if (linear) assert.equal(parameter.dtype, 'i8', name)
    if (name.includes('embeddings') || name.startsWith('cls.')) assert.equal(parameter.dtype, 'f32', name)
  }
  const folder = await scratch()
  await masked.savePretrained(folder)
  const { quantization_config: config } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
  assert.ok(config.ignore.includes('cls.predictions.decoder'))
})

test('a batch says what its texts say alone', async () => {
  const model = await AutoModelForSequenceClassification.fromPretrained(bert, { dtype: 'int8' })
  const both = tensor(
    [
      [5, 6, 7, 8],
      [90, 2, 3, 4],
    ],
    { dtype: 'i32' },
  )
  const { logits } = model.forward({ input_ids: both })
  const rows = Array.from((await logits?.data()) as Float32Array)
  assert.deepEqual(rows.slice(0, rows.length / 2), await logitsOf(model))
})
