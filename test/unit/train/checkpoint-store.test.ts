import assert from 'node:assert/strict'
import * as nodeFiles from 'node:fs/promises'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { FileOps } from '../../../src/formats/atomic-file.node.js'
import { FileError, type HostArray } from '../../../src/formats/index.node.js'
import {
  type Checkpoint,
  type CheckpointFiles,
  CheckpointStore,
  findCheckpoint,
} from '../../../src/train/checkpoint-store.node.js'
import { fullDisk, temporaryDirectory } from '../formats/helpers.js'

const filled = (value: number): HostArray => ({ dtype: 'f32', shape: [100], data: new Float32Array(100).fill(value) })
const content = (value: number): CheckpointFiles => ({
  'model.safetensors': { tensors: { w: filled(value) }, metadata: { format: 'pt' } },
  'optimizer.safetensors': { tensors: { m: filled(value) } },
  'state.json': { json: { step: value } },
})

/** The value that all files of a checkpoint agree on. */
async function stepOf(checkpoint: Checkpoint): Promise<number> {
  const { step } = (await checkpoint.readJson('state.json')) as { step: number }
  for (const [name, tensor] of [
    ['model.safetensors', 'w'],
    ['optimizer.safetensors', 'm'],
  ]) {
    const file = await checkpoint.openTensors(name)
    try {
      assert.deepEqual(await file.read(tensor), filled(step))
    } finally {
      await file.close()
    }
  }
  return step
}

test('the last checkpoints are kept and the newest is found', async (t) => {
  const directory = join(await temporaryDirectory(t), 'deep', 'run')
  const store = await CheckpointStore.open(directory, { keep: 2 })
  assert.equal(await store.latest(), undefined)
  for (const value of [1, 2, 3, 4]) await store.save(content(value))
  assert.deepEqual((await readdir(directory)).sort(), ['checkpoint-3', 'checkpoint-4', 'latest'])
  assert.deepEqual(JSON.parse(await readFile(join(directory, 'latest'), 'utf8')), { checkpoint: 'checkpoint-4' })
  assert.equal(await stepOf(await findCheckpoint(directory)), 4)
  assert.equal(await stepOf(await findCheckpoint(join(directory, 'checkpoint-3'))), 3)
  const single = await CheckpointStore.open(directory, { keep: 1 })
  assert.equal((await single.save(content(5))).number, 5)
  assert.deepEqual((await readdir(directory)).sort(), ['checkpoint-5', 'latest'])
})

/** File operations of a process that dies before the operation `fatal`: that one and all later ones fail. */
function dyingAt(fatal: number): { files: FileOps; count: () => number } {
  let count = 0
  const step = () => {
    if (++count > fatal) throw new Error('killed')
  }
  const files = { ...nodeFiles }
  const guarded =
    <A extends unknown[], R>(run: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      step()
      return run(...args)
    }
  const open: FileOps['open'] = async (...args) => {
    step()
    const handle = await nodeFiles.open(...args)
    const write = handle.write.bind(handle) as (...args: unknown[]) => Promise<unknown>
    const sync = handle.sync.bind(handle)
    return Object.assign(handle, {
      // Killed in the middle of a write, half of it may have reached the file.
      write: async (bytes: Uint8Array, offset: number, length: number, position: number) => {
        try {
          step()
        } catch (error) {
          await write(bytes, offset, length >> 1, position)
          throw error
        }
        return write(bytes, offset, length, position)
      },
      sync: guarded(sync),
    })
  }
  return {
    files: {
      ...files,
      open,
      rename: guarded(nodeFiles.rename),
      rm: guarded(nodeFiles.rm),
      mkdir: guarded(nodeFiles.mkdir) as FileOps['mkdir'],
    },
    count: () => count,
  }
}

test('whichever file operation is the last before a kill, the newest complete checkpoint loads', async (t) => {
  const root = await temporaryDirectory(t)
  const whole = dyingAt(Number.POSITIVE_INFINITY)
  await (await CheckpointStore.open(join(root, 'probe'), { files: whole.files, keep: 1 })).save(content(0))
  const perSave = whole.count() // no pruning yet in the first save: later ones take more
  const seen = new Set<number>()
  for (let fatal = 1; fatal < perSave + 6; fatal++) {
    const directory = join(root, String(fatal))
    await (await CheckpointStore.open(directory, { keep: 1 })).save(content(1))
    await CheckpointStore.open(directory, { keep: 1, files: dyingAt(fatal).files })
      .then((store) => store.save(content(2)))
      .catch(() => undefined)
    const store = await CheckpointStore.open(directory, { keep: 1 })
    const newest = await store.latest()
    assert.ok(newest, `nothing left after operation ${fatal}`)
    seen.add(await stepOf(newest))
    assert.ok(
      (await readdir(directory)).every((name) => !name.startsWith('.tmp')),
      `stale folders after ${fatal}`,
    )
    await store.save(content(3))
    assert.equal(await stepOf(await findCheckpoint(directory)), 3)
  }
  assert.deepEqual([...seen].sort(), [1, 2])
})

test('a full disk gives a clear error and leaves the earlier checkpoint alone', async (t) => {
  const directory = await temporaryDirectory(t)
  const { path } = await (await CheckpointStore.open(directory)).save(content(1))
  let bytes = (await stat(join(directory, 'latest'))).size
  for (const name of await readdir(path)) bytes += (await stat(join(path, name))).size
  for (const room of [0, 300, 700, bytes - 50, bytes - 1]) {
    const { files, failures } = fullDisk(room)
    const store = await CheckpointStore.open(directory, { files })
    await assert.rejects(store.save(content(2)), (error: FileError) => {
      assert.match(error.message, /no space left on the disk \(ENOSPC\); .*unchanged/)
      return error instanceof FileError && error.code === 'ENOSPC'
    })
    assert.equal(failures(), 1)
    assert.deepEqual((await readdir(directory)).sort(), ['checkpoint-1', 'latest'])
    assert.equal(await stepOf(await findCheckpoint(directory)), 1)
  }
})

test('an abort leaves nothing half-written', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await CheckpointStore.open(directory)
  const stop = new AbortController()
  const onProgress = () => stop.abort(new Error('enough'))
  await assert.rejects(store.save(content(1), { signal: stop.signal, onProgress }), /enough/)
  assert.deepEqual(await readdir(directory), [])
})

test('folders of live processes are left alone', async (t) => {
  const directory = await temporaryDirectory(t)
  await nodeFiles.mkdir(join(directory, `.tmp-${process.ppid}-0a`))
  await nodeFiles.mkdir(join(directory, `.tmp-${process.pid}-0b`))
  await CheckpointStore.open(directory)
  assert.deepEqual(await readdir(directory), [`.tmp-${process.ppid}-0a`])
})

test('bad names and missing checkpoints', async (t) => {
  const directory = await temporaryDirectory(t)
  const store = await CheckpointStore.open(directory)
  await assert.rejects(store.save({ '../x': { json: 1 } }), /file name should be plain, got "\.\.\/x"/)
  await assert.rejects(findCheckpoint(directory), /expected checkpoint-N folders or a state\.json, found neither/)
  await assert.rejects(findCheckpoint(join(directory, 'none')), /none: no such file or directory/)
  await assert.rejects(CheckpointStore.open(directory, { keep: 0 }), /keep should be a positive count/)
})
