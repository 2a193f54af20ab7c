import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { errorLine, kaimo } from './run.js'

describe('kaimo bench', () => {
  test('prints one JSON line with the result checked against the interpreter', () => {
    const { code, stdout, stderr } = kaimo('bench', '--case', 'op_add_16', '--repeat', '2', '--threads', '1', '--json')
    assert.equal(code, 0, stderr)
    const line = JSON.parse(stdout) as Record<string, unknown>
    assert.equal(line.case, 'op_add_16')
    assert.equal(line.n, 2)
    assert.equal(line.check_error, 0)
    assert.ok(Number.isFinite(line.checksum))
    assert.ok((line.median_ms as number) >= (line.min_ms as number) && (line.min_ms as number) > 0)
  })

  test('names its cases', () => {
    const names = JSON.parse(kaimo('bench', '--list', '--json').stdout) as string[]
    for (const name of ['mm_1024x1024x1024_f32', 'linear_128x768x3072_f32', 'chain8_16m', 'mlp_train_b64_adam'])
      assert.ok(names.includes(name), name)
  })

  test('refuses an unknown case', () => {
    const outcome = kaimo('bench', '--case', 'nonsense')
    assert.equal(outcome.code, 2)
    assert.match(errorLine(outcome), /unknown case 'nonsense'/)
  })
})

describe('kaimo doctor', () => {
  test('says which backend runs, and why', () => {
    const facts = JSON.parse(kaimo('doctor', '--json', '--backend', 'interpreter').stdout) as Record<string, unknown>
    assert.equal(facts.backend, 'interpreter')
    assert.equal(facts.node, process.version)
    assert.deepEqual(facts.environment, { ...(facts.environment as object), KAIMO_BACKEND: 'interpreter' })
  })

  test('refuses an unknown backend', () => {
    const outcome = kaimo('doctor', '--backend', 'abacus')
    assert.equal(outcome.code, 1)
    assert.match(errorLine(outcome), /unknown backend 'abacus'; known: cpu, interpreter/)
  })
})
