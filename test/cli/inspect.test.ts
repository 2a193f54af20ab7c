import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { serializeSafetensors } from '../../src/formats/index.js'
import { errorLine, kaimo } from './run.js'

const folder = mkdtempSync(join(tmpdir(), 'kaimo-inspect-'))
after(() => rmSync(folder, { recursive: true }))

const bytes = serializeSafetensors(
  {
    'layer.weight': { dtype: 'f32', shape: [2, 3], data: new Float32Array(6) },
    'layer.bias': { dtype: 'bf16', shape: [3], data: new Uint16Array(3) },
    scale: { dtype: 'f32', shape: [], data: new Float32Array(1) },
  },
  { format: 'pt' },
)
writeFileSync(join(folder, 'model.safetensors'), bytes)
writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'tiny', hidden_size: 3, id2label: { 0: 'a' } }))

interface Inspection {
  config: { model_type: string } | null
  metadata: Record<string, string>
  total: { tensors: number; elements: number; bytes: number }
  byDtype: Record<string, { tensors: number; elements: number; bytes: number }>
  tensors: { name: string; shape: number[] }[]
}

const inspect = (...args: string[]): Inspection => {
  const { code, stdout, stderr } = kaimo('inspect', ...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Inspection
}

describe('kaimo inspect', () => {
  test('counts the tensors of a checkpoint folder', () => {
    const found = inspect(folder)
    assert.deepEqual(found.total, { tensors: 3, elements: 10, bytes: 34 })
    assert.deepEqual(found.byDtype, {
      F32: { tensors: 2, elements: 7, bytes: 28 },
      BF16: { tensors: 1, elements: 3, bytes: 6 },
    })
    assert.equal(found.config?.model_type, 'tiny')
    assert.deepEqual(found.metadata, { format: 'pt' })
  })

  test('filters by name', () => {
    const found = inspect(join(folder, 'model.safetensors'), '--filter', '^layer\\.')
    assert.deepEqual(found.tensors.map(({ name }) => name).sort(), ['layer.bias', 'layer.weight'])
  })

  test('prints a table for people', () => {
    const { stdout } = kaimo('inspect', folder)
    assert.match(stdout, /layer\.weight.*F32.*\[2, 3\].*6.*24 B/)
    assert.match(stdout, /3 tensors, 10 elements \(.*7 F32.*\), 34 B/)
    assert.match(stdout, /model_type.*tiny/)
  })

  test('a truncated file is refused in one line', () => {
    const path = join(folder, 'cut.safetensors')
    writeFileSync(path, readFileSync(join(folder, 'model.safetensors')).subarray(0, -4))
    const outcome = kaimo('inspect', path)
    assert.equal(outcome.code, 1)
    assert.match(errorLine(outcome), /cut\.safetensors/)
  })
})
