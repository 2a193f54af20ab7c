import * as nodeFiles from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { crc32 } from 'node:zlib'
import type { FileOps } from '../../../src/formats/atomic-file.node.js'

/** A safetensors file from any header value (or raw text) and data bytes. */
export function rawSafetensors(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const file = new Uint8Array(8 + json.length + dataBytes)
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true)
  file.set(json, 8)
  return file
}

/** File operations on a disk that is full after `room` bytes; `failures` counts refused writes. */
export function fullDisk(room: number): { files: FileOps; failures: () => number } {
  let left = room
  let failures = 0
  const open: FileOps['open'] = async (path, flags, mode) => {
    const handle = await nodeFiles.open(path, flags, mode)
    const write = handle.write.bind(handle) as (b: Uint8Array, o: number, l: number, p: number) => Promise<unknown>
    const limited = async (bytes: Uint8Array, offset: number, length: number, position: number) => {
      if (left <= 0) {
        failures++
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      }
      const fits = Math.min(left, length)
      left -= fits
      return write(bytes, offset, fits, position)
    }
    return Object.assign(handle, { write: limited })
  }
  return { files: { ...nodeFiles, open }, failures: () => failures }
}

/** A fresh directory, removed when the test ends. */
export async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await nodeFiles.mkdtemp(join(tmpdir(), 'kaimo-'))
  context.after(() => nodeFiles.rm(directory, { recursive: true, force: true }))
  return directory
}

/** A zip archive of stored entries. */
export function storedZip(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, content] of Object.entries(entries)) {
    const local = Buffer.alloc(30 + name.length)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    local.write(name, 30)
    const central = Buffer.alloc(46 + name.length)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt32LE(crc32(content), 16)
    central.writeUInt32LE(content.length, 20)
    central.writeUInt32LE(content.length, 24)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt32LE(offset, 42)
    central.write(name, 46)
    locals.push(local, Buffer.from(content))
    directory.push(central)
    offset += local.length + content.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...directory, end])
}

/** Opcodes of a pickle: texts stand for their Latin-1 bytes. */
export const pickle = (...parts: (string | number)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part, 'latin1'))))

/** A zip checkpoint of one pickle, with storages of these bytes. */
export const torchZip = (data: Uint8Array, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array =>
  storedZip({
    'a/data.pkl': data,
    ...Object.fromEntries(Object.entries(storages).map(([key, bytes]) => [`a/data/${key}`, bytes])),
  })
