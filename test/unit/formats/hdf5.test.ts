import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FormatError, hdf5Arrays, hdf5At, readHdf5 } from '../../../src/formats/index.node.js'

const fixture = (name: string): Uint8Array =>
  readFileSync(fileURLToPath(new URL(`fixtures/hdf5/${name}`, import.meta.url)))

test('arrays of every type, byte order and storage that h5py writes', () => {
  const root = readHdf5(fixture('types.h5'))
  const { arrays } = root
  assert.deepEqual(arrays.get('f2'), { dtype: 'f16', shape: [2], data: Uint16Array.of(0x3e00, 0x4000) })
  assert.deepEqual(arrays.get('bf16'), { dtype: 'bf16', shape: [2], data: Uint16Array.of(0x3fc0, 0x4000) })
  assert.deepEqual(arrays.get('big_endian'), { dtype: 'f32', shape: [2], data: Float32Array.of(1.5, -2) })
  assert.deepEqual(arrays.get('f8'), { dtype: 'f64', shape: [1], data: Float64Array.of(1.5) })
  assert.deepEqual(arrays.get('i1'), { dtype: 'i8', shape: [1], data: Int8Array.of(-3) })
  assert.deepEqual(arrays.get('i2'), { dtype: 'i16', shape: [1], data: Int16Array.of(-3) })
  assert.deepEqual(arrays.get('u1'), { dtype: 'u8', shape: [1], data: Uint8Array.of(200) })
  assert.deepEqual(arrays.get('u4'), { dtype: 'u32', shape: [1], data: Uint32Array.of(2 ** 31 + 5) })
  assert.deepEqual(arrays.get('i8'), { dtype: 'i64', shape: [1], data: BigInt64Array.of(-(2n ** 40n)) })
  assert.deepEqual(arrays.get('bool'), { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) })
  assert.deepEqual(arrays.get('scalar'), { dtype: 'f32', shape: [], data: Float32Array.of(2.5) })
  assert.deepEqual(arrays.get('empty'), { dtype: 'f32', shape: [0, 3], data: new Float32Array(0) })
  const counted = (length: number) => Array.from({ length }, (_, i) => i)
  assert.deepEqual(arrays.get('gzip'), { dtype: 'f64', shape: [10, 6], data: Float64Array.from(counted(60)) })
  assert.deepEqual(arrays.get('checked'), { dtype: 'i16', shape: [5, 6], data: Int16Array.from(counted(30)) })
  assert.equal(arrays.has('texts'), false)
  assert.equal(hdf5Arrays(hdf5At(root, 'many') ?? root).get('39')?.data[0], 39)
  assert.deepEqual(Object.fromEntries(root.attributes), {
    fixed: 'abc',
    text: 'naïve',
    list: ['ab', 'cde'],
    number: 3,
    half: 0.5,
  })
})

test('links that leave the file lead nowhere', () => {
  const group = hdf5At(readHdf5(fixture('types.h5')), 'a/b')
  assert.deepEqual([group?.groups.size, group?.arrays.size], [0, 0])
})

test('headers of newer versions are read, their dense groups are refused by name', () => {
  const root = readHdf5(fixture('newer.h5'))
  assert.deepEqual(hdf5Arrays(root).get('a/b')?.data, Float64Array.of(0, 1, 2))
  assert.equal(root.groups.get('a')?.attributes.get('x'), 'y')
  assert.throws(
    () => readHdf5(fixture('dense.h5'), 'dense.h5'),
    /dense\.h5: HDF5, byte \d+: a group in the dense form of newer/,
  )
})

test('a file that is cut short anywhere gives a clear error or less', () => {
  const whole = fixture('types.h5')
  for (let length = 0; length < whole.length; length += 97) {
    try {
      readHdf5(whole.slice(0, length))
    } catch (error) {
      assert.ok(error instanceof FormatError, String(error))
    }
  }
})
