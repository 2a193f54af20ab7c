/**
 * Reads zip archives (stored and deflated entries, zip64), strictly. Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3-4.5.
 */
import { open } from 'node:fs/promises'
import { crc32, inflateRawSync } from 'node:zlib'
import { fileError, IO_CHUNK_BYTES } from './atomic-file.node.js'
import { FormatError } from './errors.js'
import { show } from './strict-json.js'

/** Deflate cannot compress further than this: an entry that claims more is refused unread. */
const MAX_DEFLATE_RATIO = 1032
/** The end record is 22 bytes plus a comment of at most 65,535. */
const END_SEARCH_BYTES = 22 + 0xffff
/** Bounds what a hostile directory could make us hold. */
const MAX_DIRECTORY_BYTES = 256 * 1024 * 1024

/** Bytes that can be read in parts. */
export interface ByteSource {
  readonly name: string
  readonly size: number
  /** Exactly the bytes from `start` to `end`, which lie within `size`. */
  read(start: number, end: number): Promise<Uint8Array>
  close(): Promise<void>
}

export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (start, end) => bytes.subarray(start, end),
    close: async () => undefined,
  }
}

/** @throws FileError where the file cannot be read */
export async function fileSource(path: string): Promise<ByteSource> {
  try {
    const handle = await open(path, 'r')
    const { size } = await handle.stat()
    const read = async (start: number, end: number) => {
      const bytes = new Uint8Array(end - start)
      for (let done = 0; done < bytes.length; ) {
        const length = Math.min(IO_CHUNK_BYTES, bytes.length - done) // one read takes less than 2 GiB
        const { bytesRead } = await handle.read(bytes, done, length, start + done)
        if (bytesRead === 0)
          throw new FormatError(`${path}: ends at byte ${start + done}, it was longer when it was opened`)
        done += bytesRead
      }
      return bytes
    }
    return { name: path, size, read, close: () => handle.close() }
  } catch (error) {
    throw fileError('cannot read', path, error)
  }
}

export interface ZipEntry {
  readonly name: string
  readonly compressed: number
  readonly size: number
  readonly crc: number
  /** 0 stored, 8 deflated. */
  readonly method: number
  /** Of the entry's local header. */
  readonly offset: number
}

/** An open archive. */
export class ZipArchive {
  private constructor(
    private readonly source: ByteSource,
    readonly entries: ReadonlyMap<string, ZipEntry>,
  ) {}

  /** Reads the directory. @throws FormatError where it is malformed; the source is then closed */
  static async open(source: ByteSource): Promise<ZipArchive> {
    try {
      return new ZipArchive(source, parseDirectory(await readDirectory(source), source))
    } catch (error) {
      await source.close()
      throw error
    }
  }

  /** An entry's content, its checksum verified. @throws FormatError */
  async read(name: string): Promise<Uint8Array> {
    const entry = this.entries.get(name)
    if (entry === undefined) throw new FormatError(`${this.source.name}: no entry ${show(name)} in the archive`)
    const where = `${this.source.name}: entry ${show(name)}`
    const start = await this.#dataStart(entry, where)
    const stored = await this.source.read(start, start + entry.compressed)
    const content = entry.method === 0 ? stored : inflate(stored, entry, where)
    if (crc32(content) !== entry.crc) throw new FormatError(`${where}: damaged: its checksum differs`)
    return content
  }

  close(): Promise<void> {
    return this.source.close()
  }

  async #dataStart({ offset, compressed }: ZipEntry, where: string): Promise<number> {
    if (offset + 30 > this.source.size) throw new FormatError(`${where}: should start at byte ${offset}, past the end`)
    const header = viewOf(await this.source.read(offset, offset + 30))
    if (header.getUint32(0, true) !== 0x04034b50)
      throw new FormatError(`${where}: expected a local header at byte ${offset}`)
    const start = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true)
    if (start + compressed > this.source.size) {
      throw new FormatError(`${where}: should end at byte ${start + compressed}, the file has ${this.source.size}`)
    }
    return start
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function inflate(stored: Uint8Array, entry: ZipEntry, where: string): Uint8Array {
  if (entry.size > entry.compressed * MAX_DEFLATE_RATIO + 64) {
    throw new FormatError(
      `${where}: announces ${entry.size} bytes, which ${entry.compressed} compressed bytes cannot hold`,
    )
  }
  let content: Uint8Array
  try {
    content = inflateRawSync(stored, { maxOutputLength: Math.max(1, entry.size) })
  } catch (error) {
    throw new FormatError(`${where}: cannot be decompressed to ${entry.size} bytes (${(error as Error).message})`, {
      cause: error,
    })
  }
  if (content.length !== entry.size)
    throw new FormatError(`${where}: expected ${entry.size} bytes, got ${content.length}`)
  return content
}

/** Finds the end record, or its zip64 form, and reads the directory that it points to. */
async function readDirectory(source: ByteSource): Promise<Uint8Array> {
  const tailStart = Math.max(0, source.size - END_SEARCH_BYTES)
  const tail = viewOf(await source.read(tailStart, source.size))
  let at = tail.byteLength - 22
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--
  if (at < 0) throw new FormatError(`${source.name}: not a zip archive: it has no end record`)
  let length = tail.getUint32(at + 12, true)
  let offset = tail.getUint32(at + 16, true)
  if (offset === 0xffffffff || length === 0xffffffff || tail.getUint16(at + 10, true) === 0xffff) {
    if (at >= 20 && tail.getUint32(at - 20, true) === 0x07064b50) {
      const position = Number(tail.getBigUint64(at - 12, true))
      if (position + 56 > source.size)
        throw new FormatError(`${source.name}: its zip64 end record should be at byte ${position}, past the end`)
      const record = viewOf(await source.read(position, position + 56))
      if (record.getUint32(0, true) !== 0x06064b50)
        throw new FormatError(`${source.name}: expected a zip64 end record at byte ${position}`)
      length = Number(record.getBigUint64(40, true))
      offset = Number(record.getBigUint64(48, true))
    }
  }
  if (offset + length > source.size || length > MAX_DIRECTORY_BYTES) {
    throw new FormatError(
      `${source.name}: its directory should have ${length} bytes at ${offset}, the file has ${source.size}`,
    )
  }
  return source.read(offset, offset + length)
}

function parseDirectory(bytes: Uint8Array, source: ByteSource): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>()
  const view = viewOf(bytes)
  for (let at = 0; at < bytes.length; ) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) {
      throw new FormatError(`${source.name}: the archive's directory is damaged at its byte ${at}`)
    }
    const nameEnd = at + 46 + view.getUint16(at + 28, true)
    const extraEnd = nameEnd + view.getUint16(at + 30, true)
    const next = extraEnd + view.getUint16(at + 32, true)
    if (next > bytes.length) throw new FormatError(`${source.name}: the archive's directory ends within an entry`)
    const name = new TextDecoder().decode(bytes.subarray(at + 46, nameEnd))
    const where = `${source.name}: entry ${show(name)}`
    const method = view.getUint16(at + 10, true)
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw new FormatError(`${where}: is encrypted`)
    if (method !== 0 && method !== 8)
      throw new FormatError(`${where}: expected it stored or deflated, got method ${method}`)
    if (entries.has(name)) throw new FormatError(`${where}: occurs twice`)
    const sizes = entrySizes(view, at, nameEnd, extraEnd, where)
    if (method === 0 && sizes.size !== sizes.compressed)
      throw new FormatError(`${where}: is stored as ${sizes.compressed} bytes, announces ${sizes.size}`)
    entries.set(name, { name, method, crc: view.getUint32(at + 16, true), ...sizes })
    at = next
  }
  return entries
}

/** Sizes and offset of an entry; those that do not fit 32 bits stand in the zip64 extra field, in this order. */
function entrySizes(view: DataView, at: number, extraStart: number, extraEnd: number, where: string) {
  const values = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)]
  if (values.includes(0xffffffff)) {
    let field = extraStart
    while (field + 4 <= extraEnd && view.getUint16(field, true) !== 1) field += 4 + view.getUint16(field + 2, true)
    let position = field + 4
    const end = Math.min(extraEnd, field + 4 <= extraEnd ? position + view.getUint16(field + 2, true) : field)
    values.forEach((value, i) => {
      if (value !== 0xffffffff) return
      if (position + 8 > end) throw new FormatError(`${where}: its zip64 sizes are missing`)
      values[i] = Number(view.getBigUint64(position, true))
      position += 8
    })
  }
  const [size, compressed, offset] = values
  return { size, compressed, offset }
}
