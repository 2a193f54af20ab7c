import { crc32 } from 'node:zlib'

/** Times are left out: equal content gives equal archives. 1 January 1980, midnight. */
const DATE = 0x21
const MAX_32 = 0xffffffff

function header(signature: number, bytes: number, name: Uint8Array, content: Uint8Array, at: number): Buffer {
  const buffer = Buffer.alloc(bytes + name.length)
  buffer.writeUInt32LE(signature, 0)
  buffer.writeUInt16LE(20, at) // version needed
  buffer.writeUInt16LE(0x0800, at + 2) // names are UTF-8
  buffer.writeUInt16LE(DATE, at + 8)
  buffer.writeUInt32LE(crc32(content), at + 10)
  buffer.writeUInt32LE(content.length, at + 14)
  buffer.writeUInt32LE(content.length, at + 18)
  buffer.writeUInt16LE(name.length, at + 22)
  buffer.set(name, bytes)
  return buffer
}

/** A zip archive with these entries, stored without compression. @throws RangeError past 4 GiB */
export function serializeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const [name, content] of entries) {
    const encoded = new TextEncoder().encode(name)
    const local = header(0x04034b50, 30, encoded, content, 4)
    const central = header(0x02014b50, 46, encoded, content, 6)
    central.writeUInt16LE(20, 4)
    central.writeUInt32LE(offset, 42)
    parts.push(local, content)
    directory.push(central)
    offset += local.length + content.length
    if (offset > MAX_32) throw new RangeError(`a zip archive of ${offset} bytes: at most 4 GiB can be written`)
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(
    directory.reduce((sum, part) => sum + part.length, 0),
    12,
  )
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, ...directory, end])
}
