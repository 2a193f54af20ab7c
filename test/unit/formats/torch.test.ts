import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  FormatError,
  type HostArray,
  loadTorchStateDict,
  openTensorFile,
  openTorchCheckpoint,
  readTorchCheckpoint,
  serializeSafetensors,
} from '../../../src/formats/index.node.js'
import { pickle, temporaryDirectory, torchZip } from './helpers.js'

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/torch/${name}`, import.meta.url))

const f32 = (shape: number[], ...values: number[]): HostArray => ({
  dtype: 'f32',
  shape,
  data: Float32Array.from(values),
})
const range = (count: number, start = 0): number[] => Array.from({ length: count }, (_, i) => start + i)

/** What `make.py` wrote. */
const STATE: Readonly<Record<string, HostArray>> = {
  transposed: f32([6, 4], ...range(6).flatMap((row) => range(4).map((column) => column * 6 + row))),
  offset: f32([6], ...range(6, 3)),
  strided: f32([3], 0, 8, 16),
  whole: f32([24], ...range(24)),
  i64: { dtype: 'i64', shape: [2], data: BigInt64Array.of(1n, -2n) },
  f64: { dtype: 'f64', shape: [], data: Float64Array.of(2.5) },
  empty: f32([0, 3]),
  bool: { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
  f16: { dtype: 'f16', shape: [1], data: Uint16Array.of(0x3e00) },
  bf16: { dtype: 'bf16', shape: [2], data: Uint16Array.of(0x3fc0, 0x4000) },
  u8: { dtype: 'u8', shape: [1], data: Uint8Array.of(255) },
  i8: { dtype: 'i8', shape: [1], data: Int8Array.of(-3) },
  i16: { dtype: 'i16', shape: [1], data: Int16Array.of(-300) },
  i32: { dtype: 'i32', shape: [1], data: Int32Array.of(70000) },
  parameter: f32([2, 2], 1, 1, 1, 1),
  expanded: f32([5], 1, 1, 1, 1, 1),
  'nested.list.0': f32([1], 1),
  'nested.list.1': f32([1], 0),
  'nested.tuple.0': f32([2], 7, 7),
  'nested.3': { dtype: 'i64', shape: [], data: BigInt64Array.of(9n) },
}

for (const container of ['zip', 'legacy']) {
  for (const protocol of [1, 2, 4, 5]) {
    test(`${container} checkpoints of pickle protocol ${protocol} hold what PyTorch saved`, async () => {
      const path = fixture(`${container}-${protocol}.pt`)
      assert.deepEqual(Object.fromEntries(await loadTorchStateDict(path)), STATE)
      assert.deepEqual(Object.fromEntries(await loadTorchStateDict(await readFile(path))), STATE)
    })
  }
}

test('what lies around the tensors is read too', async () => {
  for (const name of ['zip-2.pt', 'legacy-4.pt']) {
    const other = await readTorchCheckpoint(fixture(name), { root: 'other' })
    assert.deepEqual(
      other,
      new Map<string, unknown>([
        ['epoch', 7],
        ['big', 2n ** 70n],
        ['negative', -5],
        ['float', 1.25],
        ['true', true],
        ['none', null],
        ['text', 'naïve 文'],
        ['bytes', Uint8Array.of(0, 255)],
        ['set', new Set([1])],
        ['size', [2, 3]],
        ['dtype', 'torch.float16'],
      ]),
    )
  }
})

test('tensors are listed before and read one by one, from any root', async (t) => {
  const file = await openTorchCheckpoint(fixture('zip-2.pt'), { root: 'nested' })
  t.after(() => file.close())
  assert.deepEqual([...file.entries.keys()], ['list.0', 'list.1', 'tuple.0', '3'])
  assert.deepEqual(file.entries.get('tuple.0'), {
    name: 'tuple.0',
    storedDType: 'float32',
    dtype: 'f32',
    shape: [2],
    bytes: 8,
  })
  assert.deepEqual(await file.read('tuple.0'), STATE['nested.tuple.0'])
  await assert.rejects(file.read('w'), /no tensor "w" among its 4 \("list\.0", "list\.1"/)
  await assert.rejects(openTorchCheckpoint(fixture('zip-2.pt'), { root: 'model' }), /has nothing called "model", only/)
  await assert.rejects(file.read('3', { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
})

test('tied weights are one array, views of one storage are not', async () => {
  const arrays = await readTorchCheckpoint(fixture('zip-2.pt'))
  assert.ok(arrays instanceof Map)
  const w = await loadTorchStateDict(torchZip(tied(), { 0: new Uint8Array(8) }))
  assert.equal(w.get('a'), w.get('b'))
  assert.notEqual((arrays.get('whole') as HostArray).data.buffer, (arrays.get('offset') as HostArray).data.buffer)
})

test('the device of a tensor does not matter, nor whether it was rebuilt by a newer function', async () => {
  for (const name of ['cuda.pt', 'cuda-legacy.pt']) {
    assert.deepEqual((await loadTorchStateDict(fixture(name))).get('w'), f32([2], 1, 2))
  }
  const u32 = (await loadTorchStateDict(fixture('v3.pt'))).get('u32')
  assert.deepEqual(u32, { dtype: 'u32', shape: [2], data: Uint32Array.of(2 ** 31 + 5, 7) })
})

test('whatever is not a tensor is refused by name', async () => {
  const refusals: Readonly<Record<string, RegExp>> = {
    'gadget.pt': /asks for posix\.system: refused, as only tensors/,
    'gadget-legacy.pt': /asks for posix\.system: refused/,
    'module.pt': /asks for torch\.nn\.modules\.linear\.Linear: refused/,
    'namespace.pt': /asks for argparse\.Namespace: refused/,
    'quantized.pt': /quantized tensors .* are not read/,
    'sparse.pt': /sparse tensors .* are not read/,
    'conj.pt': /tensors with the flag "conj" are not read/,
    'meta.pt': /tensors without data .* are not read/,
    'script.pt': /a TorchScript program, not a state dict/,
    'complex.pt': /tensor "complex": is complex64, which has no counterpart here/,
  }
  for (const [name, message] of Object.entries(refusals)) {
    await assert.rejects(loadTorchStateDict(fixture(name)), (error: Error) => {
      assert.match(error.message, message)
      return error instanceof FormatError
    })
  }
})

const STORAGE = 'X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu'
/** `_rebuild_tensor_v2` of storage "0" with `length` elements; `view` is the rest of the arguments up to the strides. */
const tensorOf = (length: string, view: string): string =>
  `ctorch._utils\n_rebuild_tensor_v2\n((${STORAGE}${length}tQ${view}\x89ccollections\nOrderedDict\n)RtR`
const tied = (): Uint8Array => {
  const one = tensorOf('K\x02', 'K\0K\x02\x85K\x01\x85')
  return pickle('}(X\x01\0\0\0a', one, 'q\x01X\x01\0\0\0bh\x01u.')
}
const single = (length: string, view: string): Uint8Array => pickle('}X\x01\0\0\0w', tensorOf(length, view), 's.')

test('sizes that lie are refused before anything is allocated', async () => {
  const two = { 0: new Uint8Array(8) }
  assert.deepEqual(
    (await loadTorchStateDict(torchZip(single('K\x02', 'K\0K\x02\x85K\x01\x85'), two))).get('w'),
    f32([2], 0, 0),
  )
  const big = '\x8a\x06\0\0\0\0\0\x10'
  const faults: [Uint8Array, RegExp][] = [
    [torchZip(single('K\x03', 'K\0K\x03\x85K\x01\x85'), two), /storage "0": should have 12 bytes, has 8/],
    [torchZip(single('K\x02', 'K\0K\x03\x85K\x01\x85'), two), /shape \[3\].*passes the 2 elements of its storage/],
    [torchZip(single('K\x02', 'K\x01K\x02\x85K\x01\x85'), two), /offset 1 passes the 2 elements/],
    [torchZip(single('K\x02', 'K\0K\x02\x85K\x02\x85'), two), /strides \[2\].*passes the 2 elements/],
    [torchZip(single('K\x02', `K\0${big}\x85K\0\x85`), two), /takes \d{13,} bytes, far more|would take \d{13,} bytes/],
    [torchZip(single('K\x02', `K\0${big}${big}\x86K\0K\0\x86`), two), /is too large/],
    [torchZip(single(big, `K\0${big}\x85K\x01\x85`), two), /would take \d{13,} bytes/],
    [torchZip(single('K\x02', 'K\0J\xff\xff\xff\xff\x85K\x01\x85'), two), /expected a tensor's shape as at most 64/],
    [torchZip(single('K\x02', 'K\0K\x02\x85)'), two), /a tensor of shape \[2\] has strides \[\]/],
    [torchZip(single('K\x02', 'K\0K\x02\x85K\x01\x85')), /no entry "a\/data\/0" in the archive/],
    [torchZip(pickle('B\xff\xff\xff\xff.')), /needs 4294967295 bytes/],
    [torchZip(pickle('\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.')), /announces 9223372036854775807 bytes/],
  ]
  for (const [bytes, message] of faults) await assert.rejects(loadTorchStateDict(bytes), message)
})

test('pickles that are deep, cyclic or broken are refused', async () => {
  const faults: [Uint8Array, RegExp][] = [
    [pickle(']'.repeat(100_000), 'a'.repeat(99_999), '.'), /nested deeper than 64 levels/],
    [pickle(']q\0h\0a.'), /nested deeper than 64 levels/],
    // Each list holds the one before twice: 2^40 paths.
    [pickle(']', ...range(40).map((i) => pickleDouble(i)), '.'), /more than 2000000 values/],
    [pickle('.'), /takes a value from an empty stack/],
    [pickle('h\0.'), /reads memo 0, which was never written/],
    [pickle('t.'), /down to a mark, and there is none/],
    [pickle('}K\x01s.'), /takes a value from an empty stack/],
    [pickle('K\x01K\x02a.'), /expected a list, got 1/],
    [pickle('}(K\x01u.'), /expected a value for every key/],
    [pickle('\xff.'), /no pickle opcode has the code 0xff/],
    [pickle('\x80\x09.'), /expected pickle protocol 0 to 5, got 9/],
    [pickle('\x82\x01.'), /extension registry/],
    [pickle('cos\nsystem\n.'), /asks for os\.system: refused/],
    [pickle('\x8c\x02os\x8c\x06system\x93.'), /asks for os\.system: refused/],
    [pickle('(S"echo"\nios\nsystem\n.'), /asks for os\.system: refused/],
    [pickle('ccollections\nOrderedDict\n)R}bK\x01}b.'), /cannot set attributes of 1/],
    [pickle('K\x01)R.'), /cannot call 1/],
    [pickle('X\x01\0\0\0aQ.'), /expected a storage, got "a": only tensors are read/],
    [pickle('}(X\x03\0\0\0a.bNX\x01\0\0\0aNu'), /pickle byte/],
  ]
  for (const [bytes, message] of faults) {
    await assert.rejects(loadTorchStateDict(torchZip(bytes)), (error: Error) => {
      assert.match(error.message, message)
      return error instanceof FormatError
    })
  }
})

/** Remembers the top, then makes a list of it twice. */
const pickleDouble = (index: number): string =>
  `q${String.fromCharCode(index)}0](h${String.fromCharCode(index)}h${String.fromCharCode(index)}e`

test('texts and numbers of protocol 0', async () => {
  const text = "(dp0\nS'a\\x41\\n\\''\nI7\nsV\\u6587\nL-12L\nsVf\nF1.5\nsVt\nI01\nsVn\nNs."
  assert.deepEqual(
    await readTorchCheckpoint(torchZip(pickle(text))),
    new Map<string, unknown>([
      ["aA\n'", 7],
      ['文', -12],
      ['f', 1.5],
      ['t', true],
      ['n', null],
    ]),
  )
})

test('files that are no checkpoints are told what they are', async (t) => {
  const path = join(await temporaryDirectory(t), 'w.pt')
  const faults: [Uint8Array | string, RegExp][] = [
    ['', /the file is empty/],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:00', /a Git LFS pointer/],
    ['<!DOCTYPE html>', /a web page, not a checkpoint/],
    [serializeSafetensors({ w: f32([1], 0) }), /a safetensors file/],
    ['not a pickle', /not a PyTorch checkpoint: neither a zip archive/],
    [pickle('K\x01.'), /a pickle that starts with 1/],
  ]
  for (const [content, message] of faults) {
    await writeFile(path, content)
    await assert.rejects(loadTorchStateDict(path), message)
  }
  await assert.rejects(loadTorchStateDict(`${path}x`), /cannot read .*no such file/)
})

test('one call opens safetensors, PyTorch files, shards and folders', async (t) => {
  const folder = await temporaryDirectory(t)
  const bin = join(folder, 'pytorch_model.bin')
  const opened = async (path: string, options?: { name?: string }) => {
    const file = await openTensorFile(path, options)
    return file.read('w').finally(() => file.close())
  }
  await assert.rejects(openTensorFile(folder), /expected one of model\.safetensors, .*pytorch_model\.bin/)
  await copyFile(fixture('cuda.pt'), bin)
  assert.deepEqual(await opened(bin), f32([2], 1, 2))
  assert.deepEqual(await opened(folder), f32([2], 1, 2))
  await writeFile(join(folder, 'adapter_model.safetensors'), serializeSafetensors({ w: f32([1], 5) }))
  assert.deepEqual(await opened(folder, { name: 'adapter_model' }), f32([1], 5))
  const sharded = join(folder, 'sharded')
  await mkdir(sharded)
  await copyFile(bin, join(sharded, 'part-1.bin'))
  const index = join(sharded, 'pytorch_model.bin.index.json')
  await writeFile(index, JSON.stringify({ weight_map: { w: 'part-1.bin' } }))
  assert.deepEqual(await opened(sharded), f32([2], 1, 2))
  await writeFile(join(folder, 'model.safetensors'), serializeSafetensors({ w: f32([1], 4) }))
  assert.deepEqual(await opened(folder), f32([1], 4))
})
