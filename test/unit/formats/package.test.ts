import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { packageRoot, packageVersion } from '../../../src/formats/package.node.js'

test('the package finds its own folder and version', () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  assert.equal(join(packageRoot(), '/'), join(root, '/'))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.equal(packageVersion(), version)
})
