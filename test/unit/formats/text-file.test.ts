import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readTextFile, textLines } from '../../../src/formats/index.node.js'
import { temporaryDirectory } from './helpers.js'

const lines = async (path: string) => {
  const all: string[] = []
  for await (const line of textLines(path)) all.push(line)
  return all
}

test('lines end at LF or CRLF only, wherever chunks are cut', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.txt')
  await writeFile(path, '\ufeff一\r\n二\u2028三\n\n四')
  assert.deepEqual(await lines(path), ['一', '二\u2028三', '', '四'])
  const long = '汉'.repeat(100_000) // longer than a chunk, and three bytes a character
  await writeFile(path, `${long}\n${long}x\n`)
  assert.deepEqual(await lines(path), [long, `${long}x`])
  await writeFile(path, '')
  assert.deepEqual(await lines(path), [])
})

test('gzip files are decompressed', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.txt.gz')
  await writeFile(path, gzipSync('好\n'))
  assert.equal(await readTextFile(path), '好\n')
  await writeFile(path, 'no gzip')
  await assert.rejects(readTextFile(path), /a\.txt\.gz: damaged gzip data/)
})

test('what is not UTF-8 or not a file is refused', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'gbk.txt')
  await writeFile(path, Uint8Array.of(0x61, 0x0a, 0xc4, 0xe3, 0x0a))
  await assert.rejects(readTextFile(path), /gbk\.txt: expected UTF-8 text, found other bytes at or after line 1/)
  await writeFile(path, Uint8Array.of(0xe4, 0xb8))
  await assert.rejects(readTextFile(path), /expected UTF-8 text/)
  await assert.rejects(readTextFile(directory), /cannot read .*: it is a directory/)
  await assert.rejects(readTextFile(join(directory, 'none')), /none: no such file or directory/)
  await writeFile(path, 'abc')
  await assert.rejects(readTextFile(path, { signal: AbortSignal.abort(new Error('stop')) }), /stop/)
})
