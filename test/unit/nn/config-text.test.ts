import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configJson, configText, defineConfig, parseConfig } from '../../../src/models/pretrained/config.js'

const spec = defineConfig({
  model_type: 'tiny',
  defaults: {
    hidden_size: 8,
    hidden_dropout_prob: 0.1,
    initializer_cutoff_factor: 2,
    embedding_size: null as number | null,
    act: null as string | null,
  },
})

// Python's transformers 5 refuses whole numbers for fields that are floats, and takes null for a value.
test('a config.json keeps floats apart from whole numbers, and leaves out what was not set', () => {
  const read = parseConfig(spec, { hidden_dropout_prob: 0, act: null, note: '"init_std": 1' })
  const text = configText(configJson(read))
  assert.match(text, /^ {2}"hidden_dropout_prob": 0\.0,$/m)
  assert.match(text, /^ {2}"initializer_cutoff_factor": 2\.0,$/m)
  assert.match(text, /^ {2}"hidden_size": 8,$/m)
  const json = JSON.parse(text)
  assert.equal('embedding_size' in json, false)
  assert.equal(json.act, null)
  assert.equal(json.note, '"init_std": 1')
  assert.deepEqual(configJson(parseConfig(spec, json)), configJson(read))
})
