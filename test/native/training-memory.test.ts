import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const fixture = fileURLToPath(new URL('./fixtures/training-loop.ts', import.meta.url))

// Recording a step anew makes garbage, for which V8 widens its young generation by some 20 MB sooner or later.
const SLACK = { jit: 0.1, lazy: 0.3 } as const

for (const kind of ['jit', 'lazy'] as const) {
  test(`10,000 ${kind} training steps keep the memory of step 1,000`, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      '--conditions=kaimo-source',
      '--import',
      'tsx',
      fixture,
      kind,
    ])
    const { memory, last } = JSON.parse(stdout) as {
      memory: Record<string, { held: number; resident: number }>
      last: number
    }
    assert.ok(Number.isFinite(last))
    const growth = (key: 'held' | 'resident'): number => memory[10_000][key] / memory[1_000][key] - 1
    // Measured: under 3 % for both. What V8 compiles and the allocator keeps vary; a leak of one tensor a step would be gigabytes.
    assert.ok(growth('held') <= SLACK[kind], `what is held grew by ${(100 * growth('held')).toFixed(1)} %`)
    assert.ok(growth('resident') <= SLACK[kind], `resident memory grew by ${(100 * growth('resident')).toFixed(1)} %`)
  })
}
