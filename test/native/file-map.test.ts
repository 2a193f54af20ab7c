import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  FormatError,
  type HostArray,
  openSafetensors,
  serializeSafetensors,
  writeSafetensors,
} from '../../src/formats/index.node.js'
import { AutoModel, setBackend } from '../../src/node.js'
import { settledBytes } from '../support/memory.js'

let folder = ''
before(async () => {
  setBackend('cpu')
  folder = await mkdtemp(join(tmpdir(), 'kaimo-map-'))
})
after(() => rm(folder, { recursive: true }))

const f32 = (count: number, from = 0): HostArray => ({
  dtype: 'f32',
  shape: [count],
  data: Float32Array.from({ length: count }, (_, i) => from + i / 4),
})

const ARRAYS: Record<string, HostArray> = {
  a: f32(5000),
  b: { dtype: 'i64', shape: [3], data: BigInt64Array.from([-1n, 2n, 3n]) },
  c: { dtype: 'bf16', shape: [2, 2], data: Uint16Array.from([1, 2, 3, 65535]) },
  d: { dtype: 'bool', shape: [3], data: Uint8Array.from([0, 1, 1]) },
  empty: { dtype: 'f32', shape: [0, 4], data: new Float32Array(0) },
  e: f32(1, 7),
}

/** Whether a part of the file is mapped into this process; null where the system does not tell. */
const isMapped = (path: string): boolean | null =>
  existsSync('/proc/self/maps') ? readFileSync('/proc/self/maps', 'utf8').includes(path) : null

test('mapped tensors equal read ones and outlive the open file, also a deleted one', async () => {
  const path = join(folder, 'all.safetensors')
  await writeSafetensors(path, ARRAYS)
  const file = await openSafetensors(path)
  const mapped = new Map<string, HostArray>()
  for (const name of Object.keys(ARRAYS)) mapped.set(name, await file.read(name, { map: true }))
  assert.notEqual(isMapped(path), false)
  const again = await file.read('a', { map: true })
  await file.close()
  await rm(path)
  for (const [name, array] of Object.entries(ARRAYS)) assert.deepEqual(mapped.get(name), array, name)
  again.data[0] = 99
  assert.equal(mapped.get('a')?.data[0], 0, 'two mappings of one tensor are apart')
})

test('writing into a mapped tensor leaves the file alone', async () => {
  const path = join(folder, 'written.safetensors')
  await writeSafetensors(path, ARRAYS)
  const bytes = await readFile(path)
  const file = await openSafetensors(path)
  const { data } = await file.read('a', { map: true })
  ;(data as Float32Array).fill(1)
  await file.close()
  assert.deepEqual(await readFile(path), bytes)
})

test('elements at odd places are copied', async () => {
  const path = join(folder, 'odd.safetensors')
  const bytes = serializeSafetensors({ a: f32(3) })
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true))
  const odd = new Uint8Array(bytes.length + 1)
  odd.set(bytes.subarray(0, 8 + length))
  odd[8 + length] = 0x20
  odd.set(bytes.subarray(8 + length), 9 + length)
  new DataView(odd.buffer).setBigUint64(0, BigInt(length + 1), true)
  await writeFile(path, odd)
  const file = await openSafetensors(path)
  assert.deepEqual(await file.read('a', { map: true }), f32(3))
  assert.notEqual(isMapped(path), true)
  await file.close()
})

test('a file cut short after it was opened is an error', async () => {
  const path = join(folder, 'short.safetensors')
  await writeSafetensors(path, ARRAYS)
  const file = await openSafetensors(path)
  await truncate(path, 600)
  await assert.rejects(file.read('a', { map: true }), (error: Error) => {
    assert.ok(error instanceof FormatError)
    assert.match(error.message, /short\.safetensors: ends before byte \d+, it was longer when it was opened/)
    return true
  })
  await file.close()
})

test('tensors past 4 GiB', async () => {
  const path = join(folder, 'large.safetensors')
  const hole = 2 ** 32 + 4096
  const header = JSON.stringify({
    hole: { dtype: 'U8', shape: [hole], data_offsets: [0, hole] },
    tail: { dtype: 'F32', shape: [4], data_offsets: [hole, hole + 16] },
  }).padEnd(248)
  const prefix = Buffer.alloc(256)
  prefix.writeBigUInt64LE(248n)
  prefix.write(header, 8)
  const out = await open(path, 'w')
  await out.write(prefix)
  await out.write(Float32Array.of(1, 2, 3, 4), 0, 16, 256 + hole)
  await out.close()
  const file = await openSafetensors(path)
  for (const map of [false, true]) assert.deepEqual([...(await file.read('tail', { map })).data], [1, 2, 3, 4])
  await file.close()
  await rm(path)
})

test('models map their weights, and the pages are given back with the last tensor', async () => {
  const model = await AutoModel.fromConfig({
    model_type: 'bert',
    vocab_size: 30,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 32,
  })
  const path = join(folder, 'bert')
  await model.savePretrained(path)
  const read = async (): Promise<void> => {
    const mapped = await AutoModel.fromPretrained(path)
    assert.notEqual(isMapped(path), false)
    for (const [i, { parameter }] of [...mapped.namedParameters()].entries())
      assert.deepEqual(await parameter.value.data(), await model.parameters()[i].value.data())
  }
  await read()
  for (let round = 0; round < 20 && isMapped(path); round++) await settledBytes(0)
  assert.notEqual(isMapped(path), true)
})
