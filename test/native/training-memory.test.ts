import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const fixture = fileURLToPath(new URL('./fixtures/training-loop.ts', import.meta.url))

for (const kind of ['jit', 'lazy']) {
  test(`10,000 ${kind} training steps keep the memory of step 1,000`, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      '--conditions=kaimo-source',
      '--import',
      'tsx',
      fixture,
      kind,
    ])
    const { memory, last } = JSON.parse(stdout) as { memory: Record<string, number>; last: number }
    assert.ok(Number.isFinite(last))
    const growth = memory[10_000] / memory[1_000] - 1
    assert.ok(growth <= 0.05, `resident memory grew by ${(100 * growth).toFixed(1)} % between steps 1,000 and 10,000`)
  })
}
