import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { FormatError, parseIdx, readIdx } from '../../../src/formats/index.node.js'
import { temporaryDirectory } from './helpers.js'

function idx(code: number, shape: readonly number[], data: Uint8Array): Uint8Array {
  const file = new Uint8Array(4 + 4 * shape.length + data.length)
  file.set([0, 0, code, shape.length])
  const view = new DataView(file.buffer)
  shape.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size)
  })
  file.set(data, 4 + 4 * shape.length)
  return file
}

test('element types are read big-endian', () => {
  assert.deepEqual(parseIdx(idx(0x08, [2, 1], Uint8Array.of(7, 9))), {
    dtype: 'u8',
    shape: [2, 1],
    data: Uint8Array.of(7, 9),
  })
  assert.deepEqual(parseIdx(idx(0x0b, [1], Uint8Array.of(0xff, 0xfe))).data, Int16Array.of(-2))
  assert.deepEqual(parseIdx(idx(0x0d, [1], Uint8Array.of(0x40, 0x20, 0, 0))).data, Float32Array.of(2.5))
  assert.deepEqual(parseIdx(idx(0x0c, [0, 5], new Uint8Array(0))).shape, [0, 5])
})

test('faults are named', () => {
  const faults: [Uint8Array, RegExp][] = [
    [new Uint8Array(2), /starts with 4 bytes, this has 2/],
    [Uint8Array.of(0x89, 0x50, 8, 1), /not an IDX file: .*got 89 50 08 01/],
    [Uint8Array.of(0, 0, 0x0a, 1), /got 00 00 0a 01/],
    [Uint8Array.of(0, 0, 8, 3, 0, 0), /ends within the sizes of its 3 axes: expected 16 bytes, got 6/],
    [idx(8, [3], new Uint8Array(2)), /u8 of shape \[3\] makes a file of 11 bytes, this has 10/],
    [idx(8, [3], new Uint8Array(4)), /11 bytes, this has 12/],
    [idx(0x0e, Array(10).fill(2 ** 32 - 1), new Uint8Array(4)), /is larger than any file/],
  ]
  for (const [file, message] of faults) assert.throws(() => parseIdx(file, 'x.idx'), message)
})

test('gzip is recognised by its bytes, and cannot fill the memory', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'images')
  const data = Uint8Array.from({ length: 6000 }, (_, i) => i)
  await writeFile(path, gzipSync(idx(8, [60, 100], data)))
  assert.deepEqual((await readIdx(path)).data, data)
  await writeFile(path, gzipSync(idx(8, [2], data.subarray(0, 2))))
  assert.deepEqual((await readIdx(path)).data, Uint8Array.of(0, 1))
  await writeFile(path, gzipSync(idx(8, [60, 100], data)).subarray(0, 300))
  await assert.rejects(readIdx(path), /images: damaged gzip data/)
  await writeFile(path, gzipSync(idx(8, [2 ** 31], data)))
  await assert.rejects(readIdx(path), /announces 2147483656 bytes, which \d+ compressed bytes cannot hold/)
  await writeFile(path, gzipSync(idx(8, [1200], data)))
  await assert.rejects(readIdx(path), /announces 1208 bytes, holds more/)
  await assert.rejects(readIdx(join(directory, 'none')), /none: no such file/)
})

test('mutated files give a FormatError or stay readable', () => {
  const whole = idx(0x0c, [2, 3], new Uint8Array(24))
  const edit = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(whole.length), (edits, cut) => {
      const file = whole.slice(0, cut)
      for (const [at, value] of edits) if (at < file.length) file[at] = value
      try {
        parseIdx(file)
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
