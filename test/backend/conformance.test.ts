import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createInterpreterBackend } from '../../src/backends/interpreter/index.js'
import { runBackendConformance } from '../../src/conformance/backend/index.js'

// Passes run before the interpreter backend evaluates, so this also holds the passes to leave every op's result alone.
test('the interpreter backend agrees with the plain interpreter on every op, dtype and odd shape', async () => {
  const { passed, failures } = await runBackendConformance(createInterpreterBackend())
  assert.deepEqual(failures.slice(0, 20), [])
  assert.ok(passed > 5000, `${passed} cases`)
})
