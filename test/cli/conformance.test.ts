import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { errorLine, kaimo } from './run.js'

const references = fileURLToPath(new URL('../golden/data', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'kaimo-conformance-'))
after(() => rmSync(folder, { recursive: true }))

interface References {
  cases: { id: string; call: string; rtol: number; atol: number; outputs: string[] }[]
}

/** A copy of one group with its cases changed. */
function altered(name: string, change: (cases: References['cases']) => References['cases']): string {
  const ops = join(folder, name, 'ops')
  mkdirSync(ops, { recursive: true })
  cpSync(join(references, 'ops/binary.safetensors'), join(ops, 'binary.safetensors'))
  const { cases } = JSON.parse(readFileSync(join(references, 'ops/binary.json'), 'utf8')) as References
  const add = cases.filter(({ id }) => id.startsWith('add/'))
  writeFileSync(join(ops, 'binary.json'), JSON.stringify({ cases: change(add) }))
  return join(folder, name)
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? ''

describe('kaimo conformance', () => {
  test('passes the committed references that a filter selects', () => {
    const { code, stdout } = kaimo(
      'conformance',
      references,
      '--area',
      'ops',
      '--filter',
      '^add/',
      '--backend',
      'interpreter',
    )
    assert.equal(code, 0, stdout)
    assert.match(lastLine(stdout), /^[1-9]\d* passed, 0 failed, 0 skipped$/)
  })

  test('a filter also sees the name of the file', () => {
    const { stdout } = kaimo(
      'conformance',
      references,
      '--area',
      'optim',
      '--filter',
      '^torch/sgd$',
      '--backend',
      'interpreter',
    )
    assert.equal(lastLine(stdout), '1 passed, 0 failed, 0 skipped')
  })

  test('a result outside of the tolerance fails and exits with 1', () => {
    const wrong = altered('wrong', ([first]) => [{ ...first, call: 'x - y' }])
    const { code, stdout } = kaimo('conformance', wrong, '--json', '--backend', 'interpreter')
    const report = JSON.parse(stdout) as { failed: number; areas: { failures: { case: string; reason: string }[] }[] }
    assert.equal(code, 1)
    assert.equal(report.failed, 1)
    assert.match(report.areas[0].failures[0].reason, /^out\/0\[\d+\] is .*, expected /)
  })

  test('a missing function is skipped by name, never hidden', () => {
    const unknown = altered('unknown', ([first]) => [{ ...first, call: 'torch.no_such_function(x, y)' }])
    const { code, stdout } = kaimo('conformance', unknown, '--backend', 'interpreter')
    assert.equal(code, 0)
    assert.match(stdout, /skipped in ops: torch\.no_such_function \(1\)/)
    assert.equal(lastLine(stdout), '0 passed, 0 failed, 1 skipped')
  })

  test('areas without a runner count their cases as skipped', () => {
    const area = join(folder, 'other', 'telepathy')
    mkdirSync(join(area, 'deep'), { recursive: true })
    writeFileSync(join(area, 'thoughts.json'), JSON.stringify({ cases: [{ id: 'a' }, { id: 'b' }] }))
    const { code, stdout } = kaimo('conformance', join(folder, 'other'), '--backend', 'interpreter')
    assert.equal(code, 0)
    assert.match(stdout, /skipped in telepathy: the area 'telepathy' \(3\)/)
    assert.equal(lastLine(stdout), '0 passed, 0 failed, 3 skipped')
  })

  test('bad input is named', () => {
    assert.match(
      errorLine(kaimo('conformance', references, '--area', 'nonsense')),
      /has no area 'nonsense'; it has generation, keras, .*ops, optim/,
    )
    assert.match(errorLine(kaimo('conformance', references, '--filter', '(')), /--filter: Invalid regular expression/)
    const broken = join(folder, 'broken', 'ops')
    mkdirSync(broken, { recursive: true })
    writeFileSync(join(broken, 'unary.json'), '{"cases": [')
    assert.match(errorLine(kaimo('conformance', join(folder, 'broken'))), /unary\.json is not JSON/)
  })
})
