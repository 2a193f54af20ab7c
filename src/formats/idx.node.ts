import { readFile } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { fileError } from './atomic-file.node.js'
import { FormatError } from './errors.js'
import type { HostArray } from './host-array.js'
import { MAX_IDX_HEADER_BYTES, parseIdx, parseIdxHeader } from './idx.js'

/** Deflate cannot compress further than this (zlib's technical notes): a file that claims more is refused unread. */
const MAX_DEFLATE_RATIO = 1032

/**
 * Reads an IDX file, compressed with gzip where its bytes say so.
 * @throws FormatError where it is malformed, FileError where it cannot be read
 */
export async function readIdx(path: string, options: { signal?: AbortSignal } = {}): Promise<HostArray> {
  try {
    const bytes = await readFile(path, { signal: options.signal })
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return parseIdx(bytes, path)
    return parseIdx(await gunzipIdx(path, bytes), path)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw fileError('cannot read', path, error)
  }
}

/** Inflates as many bytes as the header announces, so that a small file cannot fill the memory. */
async function gunzipIdx(path: string, compressed: Uint8Array): Promise<Uint8Array> {
  let bytes = new Uint8Array(MAX_IDX_HEADER_BYTES)
  let announced: number | undefined
  let length = 0
  for await (const chunk of inflate(path, compressed)) {
    if (announced === undefined && length + chunk.length >= MAX_IDX_HEADER_BYTES) {
      const prefix = Buffer.concat([bytes.subarray(0, length), chunk.subarray(0, MAX_IDX_HEADER_BYTES)])
      announced = parseIdxHeader(prefix, path).fileBytes
      if (announced > compressed.length * MAX_DEFLATE_RATIO) {
        throw new FormatError(
          `${path}: announces ${announced} bytes, which ${compressed.length} compressed bytes cannot hold`,
        )
      }
      const whole = new Uint8Array(Math.max(announced, MAX_IDX_HEADER_BYTES))
      whole.set(bytes.subarray(0, length))
      bytes = whole
    }
    if (length + chunk.length > bytes.length) throw new FormatError(`${path}: announces ${announced} bytes, holds more`)
    bytes.set(chunk, length)
    length += chunk.length
  }
  return bytes.subarray(0, length)
}

async function* inflate(path: string, compressed: Uint8Array): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 1 << 20 })
  gunzip.end(compressed)
  try {
    yield* gunzip as AsyncIterable<Buffer>
  } catch (error) {
    throw new FormatError(`${path}: damaged gzip data (${(error as Error).message})`, { cause: error })
  } finally {
    gunzip.destroy()
  }
}
