import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { AutoConfig, AutoModel } from '../../../src/models/index.node.js'
import '../../../src/node.js'
import { temporaryDirectory } from '../formats/helpers.js'
import { FaultyHub } from './server.js'

const shared = process.env.KAIMO_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url))
const checkpoint = `${shared}/goldens/models/bert-base-model`

test('a model loads by hub id as it does from its folder', async (t) => {
  const read = (name: string): Buffer | null => {
    try {
      return readFileSync(`${checkpoint}/${name}`)
    } catch {
      return null
    }
  }
  const [config, weights] = [read('config.json'), read('model.safetensors')]
  if (!config || !weights) return t.skip(`no references at ${checkpoint}`)
  const hub = await FaultyHub.start(t)
  hub.repositories['org/bert'] = {
    commit: 'c'.repeat(40),
    files: { 'config.json': { content: config }, 'model.safetensors': { content: weights, large: true } },
  }
  hub.faults['model.safetensors'] = ['drop']
  const options = { endpoint: hub.endpoint, cacheDir: await temporaryDirectory(t), onNote: () => undefined }
  assert.equal((await AutoConfig.fromPretrained('org/bert', options)).model_type, 'bert')
  assert.equal(hub.requests(/safetensors/).length, 0)
  const model = await AutoModel.fromPretrained('org/bert', options)
  const local = await AutoModel.fromPretrained(checkpoint, options)
  const state = async (from: typeof model) =>
    Promise.all([...from.namedParameters()].map(async ({ name, parameter }) => [name, await parameter.value.data()]))
  assert.deepEqual(await state(model), await state(local))
  assert.deepEqual(hub.requests(/safetensors/).length, 2)
})
