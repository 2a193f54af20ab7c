import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { pipeline } from '../../src/tasks.node.js'

const shared = process.env.KAIMO_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const golden = join(shared, 'data/minilm_golden_fp32.json')
/** Folder of the checkpoint sentence-transformers/all-MiniLM-L6-v2. */
const folder = process.env.KAIMO_MINILM ?? ''
const missing = !existsSync(golden) ? `no file ${golden}` : folder === '' ? 'KAIMO_MINILM names no folder' : false

test('all-MiniLM-L6-v2 gives the vectors that its own library gives', { skip: missing }, async () => {
  const { items } = JSON.parse(await readFile(golden, 'utf8')) as { items: { text: string; embedding: number[] }[] }
  const compare = await pipeline('sentence-similarity', folder)
  const vectors = await compare.embed(
    items.map(({ text }) => text),
    { truncation: true },
  )
  for (const [i, { text, embedding }] of items.entries())
    for (const [k, value] of embedding.entries())
      assert.ok(Math.abs(vectors[i][k] - value) < 1e-4, `${text}: value ${k} is ${vectors[i][k]}, expected ${value}`)
})
