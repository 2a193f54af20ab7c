import * as nodeFiles from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
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
