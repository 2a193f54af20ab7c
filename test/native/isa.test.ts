// Every build of the kernels that this machine can run, against the frozen references. The default one has its own tests.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { native } from './agree.js'

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url))

for (const isa of ['sse41', 'avx2', 'avx512', 'neon']) {
  test(`frozen references of ops with ${isa}`, native, (t) => {
    const args = ['conformance', path('test/golden/data'), '--area', 'ops', '--backend', 'cpu', '--json']
    const run = spawnSync(process.execPath, [path('bin/kaimo.mjs'), ...args], {
      encoding: 'utf8',
      env: { ...process.env, KAIMO_SOURCE: '1', KAIMO_ISA: isa },
    })
    if (run.stderr.includes(`KAIMO_ISA=${isa} cannot run here`)) return t.skip(run.stderr.trim())
    assert.equal(run.status, 0, run.stderr)
    const report = JSON.parse(run.stdout) as { passed: number; failed: number }
    assert.equal(report.failed, 0)
    assert.ok(report.passed >= 450, `${report.passed} cases passed`)
  })
}
