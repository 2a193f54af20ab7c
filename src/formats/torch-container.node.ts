/**
 * The two containers of `torch.save`: a zip archive (`data.pkl` and one entry a storage), and before PyTorch 1.6 five pickles followed
 * by the storages. Source: torch/serialization.py.
 */
import { FormatError } from './errors.js'
import { describePickleValue, PickleMachine, PickleTruncated, type PickleValue } from './pickle.js'
import { show } from './strict-json.js'
import { TorchHost } from './torch-pickle.js'
import type { TorchStorage } from './torch-values.js'
import { type ByteSource, ZipArchive } from './zip.node.js'

/** Pickles hold names and shapes; elements lie outside. */
const MAX_PICKLE_BYTES = 64 * 1024 * 1024
const FIRST_READ_BYTES = 1024 * 1024
/** First value of an old file. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn
const LEGACY_PROTOCOL = 1001

/** An opened container: the pickled value, and the bytes of its storages. */
export interface TorchContainer {
  readonly value: PickleValue
  readonly order: 'little' | 'big'
  /** Size of the whole file in bytes: no tensor takes more. */
  readonly fileBytes: number
  /** Bytes of a whole storage, after its size was checked. */
  storage(storage: TorchStorage): Promise<Uint8Array>
  close(): Promise<void>
}

/** @throws FormatError where the bytes are no checkpoint, or ask for more than tensors; the source is then closed */
export async function openTorchContainer(source: ByteSource): Promise<TorchContainer> {
  try {
    const head = await source.read(0, Math.min(512, source.size))
    if (head[0] === 0x50 && head[1] === 0x4b) return await openZip(source)
    refuseOthers(head, source.name)
    return await openLegacy(source)
  } catch (error) {
    await source.close()
    throw error
  }
}

/** Files that are often found where a checkpoint should be. */
function refuseOthers(head: Uint8Array, name: string): void {
  const text = new TextDecoder('latin1').decode(head)
  if (text.startsWith('version https://git-lfs')) {
    throw new FormatError(`${name}: a Git LFS pointer: the checkpoint itself was not downloaded`)
  }
  if (/^\s*(<!DOCTYPE|<html)/i.test(text)) throw new FormatError(`${name}: a web page, not a checkpoint`)
  if (text[8] === '{') throw new FormatError(`${name}: a safetensors file, not a PyTorch checkpoint`)
  if (text.slice(257, 262) === 'ustar') {
    throw new FormatError(`${name}: a tar checkpoint of PyTorch 0.1: save it again with a newer PyTorch`)
  }
  if (head.length === 0) throw new FormatError(`${name}: expected a PyTorch checkpoint, the file is empty`)
}

async function openZip(source: ByteSource): Promise<TorchContainer> {
  const archive = await ZipArchive.open(source)
  const pickles = [...archive.entries.values()].filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name))
  if (pickles.length !== 1) {
    throw new FormatError(`${source.name}: expected one data.pkl in a folder of the archive, found ${pickles.length}`)
  }
  const [{ name, size }] = pickles
  const root = name.slice(0, -'data.pkl'.length)
  if (archive.entries.has(`${root}constants.pkl`)) {
    throw new FormatError(`${source.name}: a TorchScript program, not a state dict: save model.state_dict() instead`)
  }
  if (size > MAX_PICKLE_BYTES) {
    throw new FormatError(`${source.name}: data.pkl has ${size} bytes, at most ${MAX_PICKLE_BYTES} are read`)
  }
  const pickle = await archive.read(name)
  const { value } = new PickleMachine(pickle, 0, new TorchHost(), source.name).run()
  const order = archive.entries.has(`${root}byteorder`)
    ? new TextDecoder().decode(await archive.read(`${root}byteorder`)).trim()
    : 'little'
  if (order !== 'little' && order !== 'big') {
    throw new FormatError(`${source.name}: expected the byte order little or big, got ${show(order)}`)
  }
  const storage = ({ key, length, dtype }: TorchStorage) => {
    const entry = `${root}data/${key}`
    const held = archive.entries.get(entry)?.size
    if (held === undefined) throw new FormatError(`${source.name}: no entry ${show(entry)} in the archive`)
    checkBytes(held, length * dtype.bytes, `${source.name}: storage ${show(key)}`)
    return archive.read(entry)
  }
  return { value, order, fileBytes: source.size, storage, close: () => archive.close() }
}

function checkBytes(held: number, expected: number, where: string): void {
  if (held !== expected) throw new FormatError(`${where}: should have ${expected} bytes, has ${held}`)
}

interface LocatedPickle {
  readonly value: PickleValue
  /** Position in the file of the byte after it. */
  readonly end: number
  readonly storages: ReadonlyMap<string, TorchStorage>
}

/** Reads one pickle at `start` of a file whose pickles have no stated length: from a window that grows until it holds it. */
async function pickleAt(source: ByteSource, start: number, firstBytes: number): Promise<LocatedPickle> {
  for (let window = firstBytes; ; window *= 4) {
    const end = Math.min(source.size, start + window)
    const bytes = await source.read(start, end)
    const host = new TorchHost()
    try {
      const result = new PickleMachine(bytes, 0, host, source.name).run()
      return { value: result.value, end: start + result.end, storages: host.storages }
    } catch (error) {
      if (!(error instanceof PickleTruncated) || end === source.size) throw error
      if (window >= MAX_PICKLE_BYTES) {
        throw new FormatError(`${source.name}: the pickle at byte ${start} is longer than ${MAX_PICKLE_BYTES} bytes`)
      }
    }
  }
}

async function openLegacy(source: ByteSource): Promise<TorchContainer> {
  const magic = await pickleAt(source, 0, 64).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new FormatError(
      `${source.name}: not a PyTorch checkpoint: neither a zip archive nor its older format (${why})`,
    )
  })
  if (magic.value !== LEGACY_MAGIC) {
    throw new FormatError(
      `${source.name}: not a PyTorch checkpoint: a pickle that starts with ${describePickleValue(magic.value)}`,
    )
  }
  const protocol = await pickleAt(source, magic.end, 64)
  if (protocol.value !== LEGACY_PROTOCOL) {
    throw new FormatError(
      `${source.name}: expected format version ${LEGACY_PROTOCOL}, got ${describePickleValue(protocol.value)}`,
    )
  }
  const system = await pickleAt(source, protocol.end, 1024)
  const little = system.value instanceof Map ? system.value.get('little_endian') : undefined
  const root = await pickleAt(source, system.end, FIRST_READ_BYTES)
  const keys = await pickleAt(source, root.end, FIRST_READ_BYTES)
  return {
    value: root.value,
    order: little === false ? 'big' : 'little',
    fileBytes: source.size,
    storage: legacyStorages(source, await locateStorages(source, keys, root.storages)),
    close: () => source.close(),
  }
}

/** Walks the storages of an old file, each of which starts with its length; gives where the elements of each start. */
async function locateStorages(
  source: ByteSource,
  keys: LocatedPickle,
  storages: ReadonlyMap<string, TorchStorage>,
): Promise<Map<string, number>> {
  if (!Array.isArray(keys.value)) {
    throw new FormatError(`${source.name}: expected a list of storages, got ${describePickleValue(keys.value)}`)
  }
  const starts = new Map<string, number>()
  let position = keys.end
  for (const key of keys.value) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined
    if (storage === undefined) {
      throw new FormatError(`${source.name}: lists the storage ${describePickleValue(key)}, which no tensor names`)
    }
    const where = `${source.name}: storage ${show(storage.key)}`
    if (position + 8 > source.size) throw new FormatError(`${where}: should start at byte ${position}, past the end`)
    const prefix = await source.read(position, position + 8)
    const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigInt64(0, true)
    if (length !== BigInt(storage.length)) {
      throw new FormatError(`${where}: should have ${storage.length} elements, has ${length}`)
    }
    starts.set(storage.key, position + 8)
    position += 8 + storage.length * storage.dtype.bytes
    if (position > source.size) {
      throw new FormatError(`${where}: should end at byte ${position}, the file has ${source.size}`)
    }
  }
  return starts
}

const legacyStorages = (source: ByteSource, starts: ReadonlyMap<string, number>) => async (storage: TorchStorage) => {
  const start = starts.get(storage.key)
  if (start === undefined) throw new FormatError(`${source.name}: has no storage ${show(storage.key)}`)
  return source.read(start, start + storage.length * storage.dtype.bytes)
}
