import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runConformance } from '../../src/conformance/index.js'
import '../../src/node.js'

const committed = fileURLToPath(new URL('data', import.meta.url))
const shared = process.env.KAIMO_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url))

async function holds(folder: string, atLeast: number): Promise<void> {
  const report = await runConformance(folder, { area: 'tokenizers' })
  const [{ failures, missing }] = report.areas
  assert.deepEqual(failures, [])
  assert.deepEqual(missing, {})
  assert.ok(report.passed >= atLeast, `${report.passed} cases passed, expected at least ${atLeast}`)
}

describe('tokenizers against frozen references', () => {
  test('the committed part', () => holds(committed, 240))

  test('all of them', async (t) => {
    if (!existsSync(`${shared}/goldens/tokenizers`)) return t.skip('the references are not here')
    await holds(`${shared}/goldens`, 799)
  })
})
