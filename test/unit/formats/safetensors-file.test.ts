import assert from 'node:assert/strict'
import { open, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  FileError,
  FormatError,
  type HostArray,
  openSafetensors,
  readSafetensors,
  serializeSafetensors,
  writeSafetensors,
} from '../../../src/formats/index.node.js'
import { fullDisk, rawSafetensors, temporaryDirectory } from './helpers.js'

const weight: HostArray = { dtype: 'f32', shape: [2, 2], data: Float32Array.of(1, -2, 3.5, Number.NaN) }
const steps: HostArray = { dtype: 'i64', shape: [], data: BigInt64Array.of(-9n) }

test('a file is written whole, equal to the bytes in memory, and read back tensor by tensor', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'w.safetensors')
  let progress = 0
  await writeSafetensors(path, { weight, steps }, { format: 'pt' }, { onProgress: ({ bytes }) => (progress = bytes) })
  const bytes = await readFile(path)
  assert.deepEqual(new Uint8Array(bytes), serializeSafetensors({ weight, steps }, { format: 'pt' }))
  assert.equal(progress, bytes.length)
  assert.deepEqual(await readdir(directory), ['w.safetensors'])
  const file = await openSafetensors(path)
  t.after(() => file.close())
  assert.deepEqual(await file.read('weight'), weight)
  assert.deepEqual(await file.read('steps'), steps)
  assert.deepEqual({ ...file.metadata }, { format: 'pt' })
  await assert.rejects(file.read('bias'), /no tensor "bias" among its 2/)
})

test('tensors are loaded one at a time when their turn comes', async (t) => {
  const path = join(await temporaryDirectory(t), 'lazy.safetensors')
  let loaded = 0
  const load = async () => {
    loaded++
    return weight
  }
  const lazy = { dtype: weight.dtype, shape: weight.shape, load }
  await writeSafetensors(path, { a: lazy, b: lazy })
  assert.equal(loaded, 2)
  assert.deepEqual((await readSafetensors(path)).get('b'), weight)
  const wrong = { dtype: weight.dtype, shape: [5], load: () => weight }
  await assert.rejects(writeSafetensors(path, { wrong }), /"wrong": shape \[5\] has 5 elements, its data has 4/)
  assert.equal((await readSafetensors(path)).size, 2)
})

test('a full disk leaves the old file and nothing half-written, and says so', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'w.safetensors')
  await writeSafetensors(path, { weight })
  const before = await readFile(path)
  for (const room of [0, 5, before.length + 3]) {
    const { files, failures } = fullDisk(room)
    await assert.rejects(writeSafetensors(path, { weight, steps }, undefined, { files }), (error: FileError) => {
      assert.match(
        error.message,
        /cannot write .*w\.safetensors: no space left on the disk \(ENOSPC\); what was there before is unchanged/,
      )
      assert.equal(error.code, 'ENOSPC')
      return error instanceof FileError
    })
    assert.equal(failures(), 1)
    assert.deepEqual(await readFile(path), before)
    assert.deepEqual(await readdir(directory), ['w.safetensors'])
  }
})

test('an abort while writing leaves nothing behind', async (t) => {
  const directory = await temporaryDirectory(t)
  const stop = new AbortController()
  const load = () => {
    stop.abort(new Error('enough'))
    return weight
  }
  const lazy = { dtype: weight.dtype, shape: weight.shape, load }
  await assert.rejects(
    writeSafetensors(join(directory, 'w.safetensors'), { lazy }, {}, { signal: stop.signal }),
    /enough/,
  )
  assert.deepEqual(await readdir(directory), [])
})

test('writing through a symbolic link keeps the link', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'real'), '')
  await symlink('real', join(directory, 'link'))
  await writeSafetensors(join(directory, 'link'), { steps })
  assert.deepEqual((await readSafetensors(join(directory, 'real'))).get('steps'), steps)
})

test('files past 4 GiB are read at their far end', async (t) => {
  const path = join(await temporaryDirectory(t), 'big.safetensors')
  const big = 2 ** 32 + 8
  const entry = (dtype: string, shape: number[], start: number, end: number) => ({
    dtype,
    shape,
    data_offsets: [start, end],
  })
  const head = rawSafetensors({ big: entry('U8', [big], 0, big), far: entry('F32', [2], big, big + 8) })
  const handle = await open(path, 'w')
  await handle.write(head)
  await handle.write(new Uint8Array(Float32Array.of(3, 4).buffer), 0, 8, head.length + big) // sparse: takes no room
  await handle.close()
  const file = await openSafetensors(path)
  t.after(() => file.close())
  assert.deepEqual((await file.read('far')).data, Float32Array.of(3, 4))
})

test('a file that shrinks after it was opened gives an error', async (t) => {
  const path = join(await temporaryDirectory(t), 'w.safetensors')
  await writeSafetensors(path, { weight })
  const file = await openSafetensors(path)
  t.after(() => file.close())
  await truncate(path, (await stat(path)).size - 4)
  await assert.rejects(file.read('weight'), FormatError)
})

test('unreadable paths and malformed files are named', async (t) => {
  const directory = await temporaryDirectory(t)
  await assert.rejects(
    openSafetensors(join(directory, 'none.safetensors')),
    /cannot read .*none\.safetensors: no such file or directory \(ENOENT\)/,
  )
  await assert.rejects(
    openSafetensors(directory),
    /expected model\.safetensors or model\.safetensors\.index\.json in it/,
  )
  const short = join(directory, 'short.safetensors')
  await writeFile(short, 'abc')
  await assert.rejects(openSafetensors(short), /short\.safetensors: a safetensors file starts with 8 bytes/)
  const huge = join(directory, 'huge.safetensors')
  await writeFile(huge, new Uint8Array(64).fill(0xff))
  await assert.rejects(openSafetensors(huge), /the header should be 18446744073709551615 bytes/)
})

test('shards are read through their index', async (t) => {
  const directory = await temporaryDirectory(t)
  const index = join(directory, 'model.safetensors.index.json')
  await writeSafetensors(join(directory, 'model-1.safetensors'), { weight })
  await writeSafetensors(join(directory, 'model-2.safetensors'), { steps })
  await writeFile(
    index,
    JSON.stringify({ weight_map: { weight: 'model-1.safetensors', steps: 'model-2.safetensors' } }),
  )
  assert.deepEqual(
    await readSafetensors(directory),
    new Map([
      ['weight', weight],
      ['steps', steps],
    ]),
  )
  const faults: [unknown, RegExp][] = [
    [{}, /expected an object "weight_map"/],
    [{ weight_map: { weight: '../model-1.safetensors' } }, /"weight": expected the name of a file beside the index/],
    [{ weight_map: { weight: 3 } }, /got 3/],
    [
      { weight_map: { weight: 'model-2.safetensors' } },
      /"weight" should be in model-2\.safetensors, which has no such tensor/,
    ],
    [{ weight_map: { weight: 'model-3.safetensors' } }, /model-3\.safetensors: no such file/],
  ]
  for (const [content, message] of faults) {
    await writeFile(index, JSON.stringify(content))
    await assert.rejects(openSafetensors(index), message)
  }
})
