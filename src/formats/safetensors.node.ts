import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { arrayConstructor, dtypeBytes } from '../ir/dtype.js'
import {
  type FileSink,
  fileError,
  IO_CHUNK_BYTES,
  type WriteOptions,
  writeFileAtomic,
  writeNewFile,
} from './atomic-file.node.js'
import { FormatError } from './errors.js'
import { mapFile } from './file-map.node.js'
import { arrayFromBytes, checkHostArray, type HostArray, littleEndianBytes } from './host-array.js'
import {
  headerLength,
  type LazyHostArray,
  layoutSafetensors,
  MAX_HEADER_BYTES,
  type NamedTensors,
  parseHeader,
  requireEntry,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from './safetensors.js'
import { isRecord, parseStrictJson, show } from './strict-json.js'
import type { ReadTensorOptions, TensorEntry, TensorFile } from './tensor-file.js'

/** Fills `into` from `position` on. */
async function readFully(handle: FileHandle, into: Uint8Array, position: number, source: string, signal?: AbortSignal) {
  let done = 0
  while (done < into.length) {
    signal?.throwIfAborted()
    const length = Math.min(IO_CHUNK_BYTES, into.length - done)
    const { bytesRead } = await handle.read(into, done, length, position + done)
    if (bytesRead === 0) {
      throw new FormatError(`${source}: ends at byte ${position + done}, it was longer when it was opened`)
    }
    done += bytesRead
  }
}

class SingleFile implements TensorFile {
  constructor(
    readonly path: string,
    private readonly header: SafetensorsHeader,
    private readonly handle: FileHandle,
  ) {}

  get entries(): ReadonlyMap<string, SafetensorsEntry> {
    return this.header.entries
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata
  }

  async read(name: string, options: ReadTensorOptions = {}): Promise<HostArray> {
    const { dtype, shape, start, end } = requireEntry(this.header, name)
    const bytes =
      (options.map && this.mapped(start, end, dtypeBytes(dtype))) || (await this.bytes(name, start, end, options))
    return { dtype, shape, data: arrayFromBytes(bytes, dtype) }
  }

  /** The pages of the file; null where they cannot be shared, as with elements that start at odd places. */
  private mapped(start: number, end: number, elementBytes: number): Uint8Array | null {
    if (start % elementBytes !== 0) return null
    try {
      const buffer = mapFile(this.handle.fd, start, end - start)
      return buffer && new Uint8Array(buffer)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'KAIMO_SHORT')) throw error
      throw new FormatError(`${this.path}: ends before byte ${end}, it was longer when it was opened`, { cause: error })
    }
  }

  private async bytes(name: string, start: number, end: number, options: ReadTensorOptions): Promise<Uint8Array> {
    let bytes: Uint8Array
    try {
      bytes = new Uint8Array(new ArrayBuffer(end - start))
    } catch (error) {
      throw new FormatError(`${this.path}: no memory for the ${end - start} bytes of tensor ${show(name)}`, {
        cause: error,
      })
    }
    try {
      await readFully(this.handle, bytes, start, this.path, options.signal)
    } catch (error) {
      throw fileError('cannot read', this.path, error)
    }
    return bytes
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

async function openSingle(path: string): Promise<SingleFile> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'r')
    const info = await handle.stat()
    if (!info.isFile()) throw new FormatError(`${path}: not a regular file`)
    const prefix = new Uint8Array(Math.min(8, info.size))
    await readFully(handle, prefix, 0, path)
    const json = new Uint8Array(headerLength(prefix, info.size, path))
    await readFully(handle, json, 8, path)
    return new SingleFile(path, parseHeader(json, info.size, path), handle)
  } catch (error) {
    await handle?.close()
    throw fileError('cannot read', path, error)
  }
}

class ShardedFile implements TensorFile {
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>

  constructor(
    readonly path: string,
    private readonly shards: readonly TensorFile[],
    private readonly owners: ReadonlyMap<string, TensorFile>,
  ) {
    this.entries = new Map([...owners].map(([name, shard]) => [name, shard.entries.get(name) as TensorEntry]))
    this.metadata = Object.assign(Object.create(null), ...shards.map((shard) => shard.metadata))
  }

  async read(name: string, options?: ReadTensorOptions): Promise<HostArray> {
    const owner = this.owners.get(name)
    if (owner === undefined)
      throw new FormatError(`${this.path}: no tensor ${show(name)} among its ${this.entries.size}`)
    return owner.read(name, options)
  }

  async close(): Promise<void> {
    await Promise.all(this.shards.map((shard) => shard.close()))
  }
}

/** Reads `{"weight_map": {tensor: shard file}}`. Shards must lie beside the index: the file is not trusted with paths. */
async function readWeightMap(path: string): Promise<[tensor: string, shard: string][]> {
  let bytes: Uint8Array
  try {
    const { size } = await stat(path)
    if (size > MAX_HEADER_BYTES)
      throw new FormatError(`${path}: the index is ${size} bytes, at most ${MAX_HEADER_BYTES} are allowed`)
    bytes = await readFile(path)
  } catch (error) {
    throw fileError('cannot read', path, error)
  }
  const index = parseStrictJson(bytes, path)
  const map = isRecord(index) ? index.weight_map : undefined
  if (!isRecord(map))
    throw new FormatError(`${path}: expected an object "weight_map" of tensor to shard file, got ${show(map)}`)
  return Object.entries(map).map(([tensor, shard]) => {
    if (typeof shard !== 'string' || shard === '' || shard === '..' || /[\\/\0]/.test(shard)) {
      throw new FormatError(
        `${path}: tensor ${show(tensor)}: expected the name of a file beside the index, got ${show(shard)}`,
      )
    }
    return [tensor, shard]
  })
}

/** Opens the shards that an index names, each by `openShard`. */
export async function openSharded(
  path: string,
  openShard: (path: string) => Promise<TensorFile> = openSingle,
): Promise<TensorFile> {
  const map = await readWeightMap(path)
  const shards = new Map<string, TensorFile>()
  const owners = new Map<string, TensorFile>()
  try {
    for (const [tensor, name] of map) {
      const shard = shards.get(name) ?? (await openShard(join(dirname(path), name)))
      shards.set(name, shard)
      if (!shard.entries.has(tensor)) {
        throw new FormatError(`${path}: tensor ${show(tensor)} should be in ${name}, which has no such tensor`)
      }
      owners.set(tensor, shard)
    }
  } catch (error) {
    await Promise.all([...shards.values()].map((shard) => shard.close()))
    throw error
  }
  return new ShardedFile(path, [...shards.values()], owners)
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  )
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/**
 * Opens a `.safetensors` file, a shard index (`*.index.json`), or a directory that holds `model.safetensors` or
 * `model.safetensors.index.json`. Only headers are read; close it when done.
 * @throws FormatError where a file is malformed, FileError where it cannot be read
 */
export async function openSafetensors(path: string): Promise<TensorFile> {
  if (basename(path).endsWith('.index.json')) return openSharded(path)
  if (!(await isDirectory(path))) return openSingle(path)
  const single = join(path, 'model.safetensors')
  const index = join(path, 'model.safetensors.index.json')
  if (await exists(single)) return openSingle(single)
  if (await exists(index)) return openSharded(index)
  throw new FormatError(`${path}: expected model.safetensors or model.safetensors.index.json in it, found neither`)
}

/** Every tensor of {@link openSafetensors}, read at once. */
export async function readSafetensors(
  path: string,
  options: { signal?: AbortSignal } = {},
): Promise<Map<string, HostArray>> {
  const file = await openSafetensors(path)
  try {
    const tensors = new Map<string, HostArray>()
    for (const name of file.entries.keys()) tensors.set(name, await file.read(name, options))
    return tensors
  } finally {
    await file.close()
  }
}

/** Tensors to write: held, or loaded one at a time when their turn comes. */
export type WritableTensors = NamedTensors<HostArray | LazyHostArray>

async function streamTensor(sink: FileSink, name: string, tensor: HostArray | LazyHostArray): Promise<void> {
  const where = `tensor ${show(name)}`
  const array = 'load' in tensor ? await tensor.load() : tensor
  checkHostArray({ dtype: tensor.dtype, shape: tensor.shape, data: array.data }, where)
  const bytesPerChunk = Math.floor(IO_CHUNK_BYTES / dtypeBytes(array.dtype)) * dtypeBytes(array.dtype)
  // Piecewise, so that a big-endian machine never copies a whole tensor.
  for (let at = 0; at < array.data.byteLength; at += bytesPerChunk) {
    const bytes = Math.min(bytesPerChunk, array.data.byteLength - at)
    const piece = new (arrayConstructor(array.dtype))(
      array.data.buffer,
      array.data.byteOffset + at,
      bytes / dtypeBytes(array.dtype),
    )
    await sink.write(littleEndianBytes(piece))
  }
}

export interface WriteSafetensorsOptions extends WriteOptions {
  /** False writes a new file in place, without a rename: for directories that are renamed as a whole. Default true. */
  atomic?: boolean
}

/**
 * Writes a safetensors file that appears whole or not at all. Tensors go to the disk one by one; nothing is copied.
 * @throws FileError where the disk is full or the path cannot be written, and then leaves nothing behind
 */
export async function writeSafetensors(
  path: string,
  tensors: WritableTensors,
  metadata?: Readonly<Record<string, string>>,
  options: WriteSafetensorsOptions = {},
): Promise<void> {
  const { prefix, ordered, fileBytes } = layoutSafetensors<HostArray | LazyHostArray>(tensors, metadata)
  const write = async (sink: FileSink) => {
    await sink.write(prefix)
    for (const [name, tensor] of ordered) await streamTensor(sink, name, tensor)
  }
  if (options.atomic === false) await writeNewFile(path, write, options, fileBytes)
  else await writeFileAtomic(path, write, options, fileBytes)
}
