import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCpuBackend, NativeUnavailableError } from '../../src/backends/cpu/index.js'
import { runBackendConformance } from '../../src/conformance/backend/index.js'
import type { OpName } from '../../src/ir/index.js'
import { OPS } from '../../src/ir/index.js'
import type { Backend } from '../../src/runtime/backend.js'

function open(): Backend | string {
  try {
    return createCpuBackend()
  } catch (error) {
    if (error instanceof NativeUnavailableError) return error.message
    throw error
  }
}

const backend = open()

for (const name of Object.keys(OPS) as OpName[]) {
  test(`native ${name} agrees with the interpreter: dtypes, odd shapes, views, special values, gradient`, {
    skip: typeof backend === 'string' ? backend : false,
  }, async () => {
    const { passed, failures } = await runBackendConformance(backend as Backend, { filter: new RegExp(`^${name}/`) })
    assert.deepEqual(failures.slice(0, 10), [])
    assert.ok(passed > 0)
  })
}
