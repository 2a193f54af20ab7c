import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../src/', import.meta.url))

/** Files that `entry` loads with its static imports; those of types alone are left out. */
function loaded(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen
  seen.add(entry)
  const text = readFileSync(entry, 'utf8')
  for (const [, from] of text.matchAll(/^(?:import|export)(?! type)[^;]*? from '([^']+)'/gm)) {
    if (from.startsWith('.')) loaded(resolve(dirname(entry), from.replace(/\.js$/, '.ts')), seen)
    else assert.ok(!from.startsWith('node:'), `${relative(root, entry)} imports ${from}`)
  }
  return seen
}

test('data sets, formats and vocabularies load without Node', () => {
  for (const entry of ['data/index.ts', 'formats/index.ts', 'text/char-vocab.ts']) {
    const files = loaded(join(root, entry))
    assert.ok(entry.startsWith('text') || files.size > 5)
    for (const file of files) assert.doesNotMatch(file, /\.node\.ts$/)
  }
})
