import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz } from './run.js'
import { TARGETS, WHOLE } from './targets.js'

/** Few enough for every run of the tests; `npm run fuzz` goes on for as long as it is told. */
const CASES = 400

test('the files that are broken here are read while they are whole', async () => {
  for (const [name, file] of WHOLE) {
    const target = TARGETS.find((candidate) => candidate.name === name)
    assert.ok(target && (await target.read(file)) > 0, name)
  }
})

for (const target of TARGETS) {
  test(`broken files give a clear error or are read: ${target.name}`, async () => {
    const { findings, kinds } = await fuzz(target, 1, (cases) => cases < CASES)
    assert.deepEqual(findings, [])
    assert.ok(kinds.size >= 3, `only ${kinds.size} kinds of faults were met`)
  })
}
