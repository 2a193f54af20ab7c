import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import '../../../src/node.js'
import { readSafetensors } from '../../../src/formats/index.node.js'
import {
  AutoConfig,
  AutoModel,
  AutoModelForMaskedLM,
  AutoModelForSequenceClassification,
  type ModelInputs,
  type PreTrainedModel,
} from '../../../src/models/index.node.js'
import { tensor } from '../../../src/tensor/index.js'

const bert = fileURLToPath(new URL('../../golden/data/models/bert-cls', import.meta.url))
const folders: string[] = []

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kaimo-models-'))
  folders.push(folder)
  return folder
}

after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const ids = tensor([[5, 6, 7, 8]], { dtype: 'i32' })
async function logitsOf(model: PreTrainedModel, inputs: ModelInputs = { input_ids: ids }): Promise<number[]> {
  const { logits } = model.forward(inputs)
  assert.ok(logits)
  return Array.from((await logits.data()) as Float32Array)
}

describe('checkpoints of transformers', () => {
  test('what is saved is what was loaded, byte for byte, and the config stays', async () => {
    const model = await AutoModelForSequenceClassification.fromPretrained(bert)
    const folder = await scratch()
    await model.savePretrained(folder)
    assert.deepEqual(await readFile(join(folder, 'model.safetensors')), await readFile(join(bert, 'model.safetensors')))
    const before = JSON.parse(await readFile(join(bert, 'config.json'), 'utf8'))
    const later = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
    for (const key of Object.keys(before)) assert.deepEqual(later[key], before[key], key)
    const again = await AutoModelForSequenceClassification.fromPretrained(folder)
    assert.deepEqual(await logitsOf(again), await logitsOf(model))
  })

  test('large models are cut into shards with an index', async () => {
    const model = await AutoModelForSequenceClassification.fromPretrained(bert)
    const folder = await scratch()
    await model.savePretrained(folder, { maxShardBytes: 30_000 })
    const files = await readdir(folder)
    assert.ok(files.includes('model.safetensors.index.json') && !files.includes('model.safetensors'), files.join())
    assert.ok(files.filter((name) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name)).length >= 2)
    const again = await AutoModelForSequenceClassification.fromPretrained(folder)
    assert.deepEqual(await logitsOf(again), await logitsOf(model))
  })

  test('halves stay halves on disk and in memory, and compute in f32', async () => {
    const model = await AutoModelForSequenceClassification.fromPretrained(bert, { dtype: 'bf16' })
    assert.ok(model.parameters().every((parameter) => parameter.dtype === 'bf16'))
    const output = model.forward({ input_ids: ids })
    assert.equal(output.logits?.dtype, 'f32')
    const folder = await scratch()
    await model.savePretrained(folder)
    assert.equal(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).dtype, 'bfloat16')
    const wide = await AutoModelForSequenceClassification.fromPretrained(folder, { dtype: 'f32' })
    assert.deepEqual(await logitsOf(wide), await logitsOf(model))
  })

  test('a head for another number of labels starts anew, with a note; the rest is as it was', async () => {
    const notes: string[] = []
    const model = await AutoModelForSequenceClassification.fromPretrained(bert, {
      numLabels: 7,
      onNote: (note) => notes.push(note),
    })
    assert.equal(notes.length, 1)
    assert.match(notes[0], /newly initialised.*classifier/)
    assert.equal(model.config.num_labels, 7)
    assert.deepEqual(model.forward({ input_ids: ids }).logits?.shape, [1, 7])
    const [base, old] = [await AutoModel.fromPretrained(bert, { onNote: () => undefined }), model]
    const states = await base.forward({ input_ids: ids }).last_hidden_state?.data()
    const same = old.forward({ input_ids: ids, output_hidden_states: true }).hidden_states?.at(-1)
    assert.deepEqual(await same?.data(), states)
  })

  test('a file without parts of the base model is refused, by name', async () => {
    const folder = await scratch()
    await cp(bert, folder, { recursive: true })
    const path = join(folder, 'config.json')
    const config = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify({ ...config, num_hidden_layers: 3 }))
    const load = (strict: boolean) =>
      AutoModelForSequenceClassification.fromPretrained(folder, { strict, onNote: () => undefined })
    await assert.rejects(load(true), /lacks 16 tensors.*bert\.encoder\.layer\.2\.attention/)
    assert.equal((await load(false)).loadReport?.missing.length, 16)
  })

  test('shapes that differ are refused with both shapes', async () => {
    const wrong = AutoModelForSequenceClassification.fromPretrained(bert, { config: { intermediate_size: 40 } })
    await assert.rejects(wrong, /intermediate\.dense.*\[48.*in the file, \[40.*in the model/)
  })

  test('fields of a config are checked', async () => {
    const read = (config: object) => AutoConfig.fromObject({ model_type: 'bert', ...config })
    await assert.rejects(read({ hidden_size: 'wide' }), /hidden_size should be a number/)
    await assert.rejects(read({ num_hidden_layers: 1e9 }), /num_hidden_layers should be a count of at most/)
    await assert.rejects(read({ hidden_size: -5 }), /hidden_size/)
    await assert.rejects(AutoConfig.fromObject({ model_type: 'no-such-model' }), /not supported; there are .*bert/)
    assert.equal((await read({ num_labels: 5 })).num_labels, 5)
    assert.equal((await read({ id2label: { 0: 'no', 1: 'yes', 2: 'maybe' } })).num_labels, 3)
  })

  test('numbers that JSON lacks are read as Python writes them, and saved as transformers 5 does', async () => {
    const folder = await scratch()
    const path = join(folder, 'config.json')
    await writeFile(path, '{"model_type": "mamba2", "note": "Infinity stays", "time_step_limit": [0.0, Infinity]}')
    const { raw } = await AutoConfig.fromPretrained(folder)
    assert.deepEqual(raw.time_step_limit, [0, { __float__: 'Infinity' }])
    assert.equal(raw.note, 'Infinity stays')
  })

  test('token embeddings are resized together with the tied head', async () => {
    const config = { model_type: 'bert', vocab_size: 30, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 }
    const model = await AutoModelForMaskedLM.fromConfig({
      ...config,
      intermediate_size: 20,
      max_position_embeddings: 8,
    })
    const before = await logitsOf(model)
    model.resizeTokenEmbeddings(34)
    const logits = model.forward({ input_ids: ids }).logits
    assert.deepEqual(logits?.shape, [1, 4, 34])
    const grown = (await logits?.data()) as Float32Array
    const kept = [0, 1, 2, 3].flatMap((token) => [...grown.slice(token * 34, token * 34 + 30)])
    assert.deepEqual(kept, before)
    const folder = await scratch()
    await model.savePretrained(folder)
    const stored = await readSafetensors(folder)
    assert.deepEqual(stored.get('bert.embeddings.word_embeddings.weight')?.shape, [34, 16])
    assert.ok(!stored.has('cls.predictions.decoder.weight'), 'tied weights are saved once')
    const again = await AutoModelForMaskedLM.fromPretrained(folder)
    assert.deepEqual(await logitsOf(again), await logitsOf(model))
  })

  test('a batch gives what single texts give', async () => {
    const model = await AutoModelForSequenceClassification.fromPretrained(bert)
    const batch = tensor(
      [
        [5, 6, 7, 8],
        [9, 10, 0, 0],
      ],
      { dtype: 'i32' },
    )
    const mask = tensor(
      [
        [1, 1, 1, 1],
        [1, 1, 0, 0],
      ],
      { dtype: 'i32' },
    )
    const together = await logitsOf(model, { input_ids: batch, attention_mask: mask })
    const second = await logitsOf(model, { input_ids: tensor([[9, 10]], { dtype: 'i32' }) })
    together.slice(3).forEach((value, i) => {
      assert.ok(Math.abs(value - second[i]) < 1e-5)
    })
  })

  test('texts longer than the model are refused', async () => {
    const model = await AutoModelForSequenceClassification.fromPretrained(bert)
    const long = tensor(new Int32Array(41).fill(5), { shape: [1, 41] })
    assert.throws(() => model.forward({ input_ids: long }), /40 tokens.*got 41/)
  })
})

const python = process.env.KAIMO_PYTHON ?? 'python3'
const hasTransformers =
  existsSync(bert) && spawnSync(python, ['-c', 'import torch, transformers'], { stdio: 'ignore' }).status === 0

test('transformers loads what is saved, with equal logits', {
  skip: hasTransformers ? false : `${python} has no transformers (set KAIMO_PYTHON)`,
}, async () => {
  const model = await AutoModelForSequenceClassification.fromPretrained(bert)
  const folder = await scratch()
  await model.savePretrained(folder, { maxShardBytes: 30_000 })
  const script = [
    'import sys, json, torch, transformers',
    'm = transformers.AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()',
    'print(json.dumps(m(torch.tensor([[5, 6, 7, 8]])).logits.flatten().tolist()))',
  ].join('\n')
  const run = spawnSync(python, ['-c', script, folder], { encoding: 'utf8' })
  assert.equal(run.status, 0, run.stderr)
  const theirs = JSON.parse(run.stdout.trim().split('\n').at(-1) as string) as number[]
  const ours = await logitsOf(model)
  ours.forEach((value, i) => {
    assert.ok(Math.abs(value - theirs[i]) < 1e-5, `${value} and ${theirs[i]}`)
  })
})
