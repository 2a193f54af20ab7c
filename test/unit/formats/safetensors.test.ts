import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FormatError, type HostArray } from '../../../src/formats/index.js'
import { parseSafetensors, serializeSafetensors } from '../../../src/formats/safetensors.js'
import { arrayConstructor, DTYPES, type TypedArray } from '../../../src/ir/dtype.js'
import { rawSafetensors } from './helpers.js'

const entry = (dtype: string, shape: unknown, data_offsets: unknown) => ({ dtype, shape, data_offsets })

const hostArray = fc
  .record({ dtype: fc.constantFrom(...DTYPES), shape: fc.array(fc.nat(4), { maxLength: 3 }), seed: fc.nat(255) })
  .map(({ dtype, shape, seed }): HostArray => {
    const data: TypedArray = new (arrayConstructor(dtype))(shape.reduce((a, b) => a * b, 1))
    const limit = dtype === 'bool' ? 2 : 100
    for (let i = 0; i < data.length; i++) {
      const value = (seed + i * 7) % limit
      if (data instanceof BigInt64Array) data[i] = BigInt(value) - 5n
      else data[i] = value
    }
    return { dtype, shape, data }
  })

test('what is written reads back, whatever the names, shapes and dtypes', () => {
  const names = fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !/\p{Surrogate}/u.test(name))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(names, hostArray)),
      fc.option(fc.dictionary(names, fc.string())),
      (pairs, metadata) => {
        const tensors = new Map(pairs)
        const file = serializeSafetensors(tensors, metadata ?? undefined)
        const read = parseSafetensors(file)
        assert.deepEqual(
          read.all(),
          tensors.size === 0 ? new Map() : new Map([...read.all()].map(([k]) => [k, tensors.get(k)!])),
        )
        assert.equal(read.names().length, tensors.size)
        assert.deepEqual({ ...read.metadata }, { ...metadata })
      },
    ),
    { numRuns: 200 },
  )
})

test('0-dim and 0-size tensors keep their shapes', () => {
  const tensors = {
    scalar: { dtype: 'f32', shape: [], data: Float32Array.of(7) },
    none: { dtype: 'i64', shape: [3, 0, 2], data: new BigInt64Array(0) },
  } satisfies Record<string, HostArray>
  const read = parseSafetensors(serializeSafetensors(tensors))
  assert.deepEqual(read.get('scalar'), tensors.scalar)
  assert.deepEqual(read.get('none'), tensors.none)
})

test('the writer aligns data whatever the header, and equal tensors give equal files', () => {
  const a: HostArray = { dtype: 'u8', shape: [3], data: Uint8Array.of(1, 2, 3) }
  const b: HostArray = { dtype: 'f64', shape: [1], data: Float64Array.of(0.5) }
  const file = serializeSafetensors({ a, b })
  assert.deepEqual(file, serializeSafetensors({ b, a }))
  assert.equal(parseSafetensors(file).get('b').data.buffer, file.buffer)
})

test('unaligned tensors are read by copying', () => {
  const file = rawSafetensors({ a: entry('U8', [1], [0, 1]), b: entry('F32', [1], [1, 5]) }, 5)
  new DataView(file.buffer).setFloat32(file.length - 4, 2.5, true)
  assert.equal(parseSafetensors(file).get('b').data[0], 2.5)
})

test('types that we lack are listed but not read', () => {
  const file = parseSafetensors(rawSafetensors({ q: entry('F8_E4M3', [2], [0, 2]) }, 2), 'w.safetensors')
  assert.deepEqual(file.names(), ['q'])
  assert.throws(() => file.get('q'), /w\.safetensors: tensor "q" is F8_E4M3/)
  assert.throws(() => file.get('r'), /no tensor "r" among its 1 \("q"\)/)
})

test('every fault of a file is named', () => {
  const faults: [Uint8Array, RegExp][] = [
    [new Uint8Array(3), /has 3 bytes/],
    [new Uint8Array(8).fill(255), /18446744073709551615 bytes long, the file has 0/],
    [new Uint8Array(8), /should be a JSON object/],
    [rawSafetensors('[1]'), /should be a JSON object/],
    [rawSafetensors('{"a": }'), /not valid JSON/],
    [rawSafetensors('{"a\\u0062": 1, "ab": 2}'), /the key "ab" occurs twice/],
    [rawSafetensors('{"a":{"dtype":"U8","dtype":"U8"}}'), /the key "dtype" occurs twice/],
    [rawSafetensors(`{"a":${'['.repeat(1e6)}`), /nested deeper than 64 levels/],
    [rawSafetensors('{"a\\'), /not valid JSON/],
    [rawSafetensors('{"a\\q":1,"a\\q":2}'), /not valid JSON/],
    [rawSafetensors({ __metadata__: { a: 1 } }), /__metadata__\.a should be a string, got 1/],
    [rawSafetensors({ a: 3 }), /tensor "a": expected \{dtype, shape, data_offsets\}, got 3/],
    [rawSafetensors({ a: entry('toString', [], [0, 0]) }), /dtype should be one of F64, .*got "toString"/],
    [rawSafetensors({ a: entry('F32', [-1], [0, 0]) }), /shape should be a list of sizes, got \[-1\]/],
    [rawSafetensors({ a: entry('F32', [1.5], [0, 0]) }), /got \[1\.5\]/],
    [rawSafetensors({ a: entry('U8', [2 ** 53], [0, 0]) }), /got \[9007199254740992\]/],
    [rawSafetensors({ a: entry('F32', [1], [0]) }), /data_offsets should be two/],
    [rawSafetensors({ a: entry('F32', [1], [4, 0]) }, 4), /data_offsets \[4, 0\] should be ordered/],
    [rawSafetensors({ a: entry('F32', [2], [0, 8]) }, 4), /within the file's 4 data bytes/],
    [rawSafetensors({ a: entry('F32', [2], [0, 4]) }, 4), /F32 of shape \[2\] takes 8 bytes, its data_offsets hold 4/],
    [rawSafetensors({ a: entry('U8', [2 ** 40, 2 ** 40], [0, 4]) }, 4), /takes Infinity bytes/],
    [rawSafetensors({ a: entry('U8', [4], [0, 4]), b: entry('U8', [4], [2, 6]) }, 6), /"b" overlaps/],
    [rawSafetensors({ a: entry('U8', [1], [0, 1]), b: entry('U8', [1], [2, 3]) }, 3), /"b" leaves a hole/],
    [rawSafetensors({ a: entry('U8', [1], [0, 1]) }, 3), /end at data byte 1, the file holds 3/],
    [rawSafetensors({ a: { ...entry('U8', [1], [0, 1]), more: 1 } }, 1), /unknown field "more"/],
  ]
  for (const [file, message] of faults) {
    assert.throws(
      () => parseSafetensors(file, 'bad.safetensors'),
      (error: Error) => {
        assert.ok(error instanceof FormatError)
        assert.match(error.message, message)
        assert.match(error.message, /^bad\.safetensors/)
        return true
      },
    )
  }
})

test('keys of Object.prototype are ordinary names', () => {
  const file = rawSafetensors('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1)
  assert.deepEqual(parseSafetensors(file).get('__proto__').data, Uint8Array.of(0))
})

test('the writer refuses data that does not fit', () => {
  const write = (array: HostArray) => serializeSafetensors({ w: array })
  assert.throws(() => write({ dtype: 'f32', shape: [2], data: new Float32Array(3) }), /"w": shape \[2\] has 2 .* has 3/)
  assert.throws(() => write({ dtype: 'f32', shape: [2], data: new Int32Array(2) }), /Float32Array, got Int32Array/)
  assert.throws(() => write({ dtype: 'f32', shape: [-2], data: new Float32Array(2) }), /\[-2\] is not a shape/)
})

test('mutated files give a FormatError or stay readable', () => {
  const tensors = new Map<string, HostArray>([
    ['weight', { dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['bias', { dtype: 'i64', shape: [1], data: BigInt64Array.of(5n) }],
  ])
  const whole = serializeSafetensors(tensors, { format: 'pt' })
  const edit = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
  fc.assert(
    fc.property(
      fc.array(edit, { minLength: 1, maxLength: 6 }),
      fc.nat(whole.length),
      fc.boolean(),
      (edits, cut, keep) => {
        const file = whole.slice(0, keep ? whole.length : cut)
        for (const [at, value] of edits) if (at < file.length) file[at] = value
        try {
          for (const array of parseSafetensors(file).all().values()) assert.ok(array.data.byteLength <= whole.length)
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error))
        }
      },
    ),
    { numRuns: 3000 },
  )
})
