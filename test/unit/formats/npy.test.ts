import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import {
  bytesSource,
  FormatError,
  type HostArray,
  parseNpy,
  readNpy,
  readNpz,
  serializeNpy,
  writeNpy,
  ZipArchive,
} from '../../../src/formats/index.node.js'
import { temporaryDirectory } from './helpers.js'

const npy = (header: string, data: ArrayLike<number>, version = 1): Uint8Array =>
  Uint8Array.of(
    0x93,
    ...Buffer.from('NUMPY'),
    version,
    0,
    header.length & 255,
    header.length >> 8,
    ...(version > 1 ? [0, 0] : []),
    ...Buffer.from(header, 'latin1'),
    ...Array.from(data),
  )

const head = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`

test('arrays are read in both byte orders, versions and element orders', () => {
  assert.deepEqual(parseNpy(npy(head('<i2', '(2,)'), [1, 0, 2, 0])), {
    dtype: 'i16',
    shape: [2],
    data: Int16Array.of(1, 2),
  })
  assert.deepEqual(parseNpy(npy(head('>i2', '(2,)'), [0, 1, 0, 2], 2)).data, Int16Array.of(1, 2))
  assert.deepEqual(parseNpy(npy(head('|b1', '()'), [1])), { dtype: 'bool', shape: [], data: Uint8Array.of(1) })
  const fortran = parseNpy(npy(head('|u1', '(2, 3)', 'True'), [1, 4, 2, 5, 3, 6]))
  assert.deepEqual(fortran, { dtype: 'u8', shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) })
  assert.deepEqual(parseNpy(npy(head('|u1', '(2, 1, 2)', 'True'), [1, 3, 2, 4])).data, Uint8Array.of(1, 2, 3, 4))
})

test('what is written reads back', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npy')
  const arrays: HostArray[] = [
    { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, Number.NaN, -0, 3) },
    { dtype: 'i64', shape: [], data: BigInt64Array.of(-7n) },
    { dtype: 'u8', shape: [0, 4], data: new Uint8Array(0) },
    { dtype: 'f16', shape: [1], data: Uint16Array.of(0x3c00) },
  ]
  for (const array of arrays) {
    assert.deepEqual(parseNpy(serializeNpy(array)), array)
    assert.equal((serializeNpy(array).length - array.data.byteLength) % 64, 0)
    await writeNpy(path, array)
    assert.deepEqual(await readNpy(path), array)
  }
  assert.throws(() => serializeNpy({ dtype: 'bf16', shape: [0], data: new Uint16Array(0) }), /NumPy has no bf16/)
})

test('faults are named', () => {
  const faults: [Uint8Array, RegExp][] = [
    [Uint8Array.of(1, 2, 3), /not a \.npy file/],
    [npy(head('<f4', '(1,)'), [0, 0, 0, 0], 4), /expected \.npy version 1, 2 or 3, got 4\.0/],
    [npy('x'.repeat(40), []).subarray(0, 20), /the header should end at byte 50, the file has 20/],
    [npy(head('|O', '(1,)'), [0]), /Python objects are not read/],
    [npy(head('<c8', '(1,)'), [0]), /expected an element type of f4, .* got "<c8"/],
    [npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", [0]), /expected a plain element type/],
    [npy(head('<f4', '(1, -2)'), [0]), /expected one readable 'shape'/],
    [npy(head('<f4', '(3,)'), [0, 0, 0, 0]), /f32 of shape \[3\] takes 12 bytes, the file holds 4/],
    [npy(head('<f4', `(${10n ** 15n}, ${10n ** 15n})`), []), /takes Infinity bytes/],
    [npy('import os', []), /expected a dictionary/],
  ]
  for (const [file, message] of faults) assert.throws(() => parseNpy(file, 'x.npy'), message)
})

/** A zip archive of one entry. */
function zip(name: string, content: Uint8Array, deflate: boolean, claim = content.length): Uint8Array {
  const stored = deflate ? deflateRawSync(content) : content
  const local = Buffer.alloc(30 + name.length)
  local.writeUInt32LE(0x04034b50, 0)
  local.writeUInt16LE(name.length, 26)
  local.write(name, 30)
  const central = Buffer.alloc(46 + name.length)
  central.writeUInt32LE(0x02014b50, 0)
  central.writeUInt16LE(deflate ? 8 : 0, 10)
  central.writeUInt32LE(crc32(content), 16)
  central.writeUInt32LE(stored.length, 20)
  central.writeUInt32LE(claim, 24)
  central.writeUInt16LE(name.length, 28)
  central.write(name, 46)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length + stored.length, 16)
  return Buffer.concat([local, stored, central, end])
}

test('npz archives are read, stored or deflated', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npz')
  const array: HostArray = { dtype: 'f32', shape: [100], data: new Float32Array(100).fill(2) }
  for (const deflate of [false, true]) {
    await writeFile(path, zip('w.npy', serializeNpy(array), deflate))
    assert.deepEqual(await readNpz(path), new Map([['w', array]]))
  }
  await writeFile(path, zip('w.npy', serializeNpy(array), true, 2 ** 31))
  await assert.rejects(
    readNpz(path),
    /entry "w\.npy": announces 2147483648 bytes, which \d+ compressed bytes cannot hold/,
  )
  await writeFile(path, zip('w.npy', serializeNpy(array), true, 100))
  await assert.rejects(readNpz(path), /cannot be decompressed to 100 bytes/)
  await writeFile(path, 'no zip')
  await assert.rejects(readNpz(path), /not a zip archive/)
})

test('mutated files give a FormatError or stay readable', async () => {
  const array: HostArray = { dtype: 'i32', shape: [2, 3], data: Int32Array.of(1, 2, 3, 4, 5, 6) }
  const files = [serializeNpy(array), zip('w.npy', serializeNpy(array), true), zip('w.npy', serializeNpy(array), false)]
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(fc.nat(2), edits, fc.nat(400), fc.boolean(), async (which, changes, cut, keep) => {
      const file = files[which].slice(0, keep ? undefined : cut)
      for (const [at, value] of changes) if (at < file.length) file[at] = value
      try {
        if (which === 0) parseNpy(file)
        else {
          const archive = await ZipArchive.open(bytesSource(file, 'a.npz'))
          for (const name of archive.entries.keys()) parseNpy(await archive.read(name))
        }
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error))
      }
    }),
    { numRuns: 3000 },
  )
})
