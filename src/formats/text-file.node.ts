import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { fileError } from './atomic-file.node.js'
import { FormatError } from './errors.js'

export interface ReadTextOptions {
  signal?: AbortSignal
  /** Called as bytes are read from the disk. */
  onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number }) => void
}

/**
 * The text of a UTF-8 file piece by piece, without its byte order mark; `.gz` files are decompressed.
 * @throws FileError where the file cannot be read, FormatError where it is not UTF-8
 */
export async function* textChunks(path: string, options: ReadTextOptions = {}): AsyncGenerator<string> {
  const bytes = fileChunks(path, options)
  try {
    yield* decode(path, path.endsWith('.gz') ? inflate(bytes) : bytes)
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw new FormatError(`${path}: damaged gzip data (${error.message})`, { cause: error })
    }
    throw fileError('cannot read', path, error)
  }
}

async function* fileChunks(path: string, { signal, onProgress }: ReadTextOptions): AsyncGenerator<Uint8Array> {
  const info = await stat(path)
  let bytes = 0
  for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    onProgress?.({ bytes, totalBytes: info.size })
    yield chunk
  }
}

async function* inflate(compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(compressed)
  const gunzip = createGunzip({ chunkSize: 1 << 20 })
  source.on('error', (error) => gunzip.destroy(error))
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Buffer>
  } finally {
    source.destroy()
    gunzip.destroy()
  }
}

async function* decode(path: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 1
  const strict = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
    } catch {
      throw new FormatError(`${path}: expected UTF-8 text, found other bytes at or after line ${line}`)
    }
  }
  for await (const chunk of chunks) {
    const text = strict(chunk)
    yield text
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) line++
  }
  const rest = strict()
  if (rest !== '') yield rest
}

/** A whole UTF-8 file (`.gz`: decompressed), without its byte order mark. @throws like {@link textChunks} */
export async function readTextFile(path: string, options?: ReadTextOptions): Promise<string> {
  let text = ''
  for await (const chunk of textChunks(path, options)) text += chunk
  return text
}

/** The lines of a UTF-8 file without their line ends: LF or CRLF, nothing else (U+2028 may stand in a text). */
export async function* textLines(path: string, options?: ReadTextOptions): AsyncGenerator<string> {
  let pending: string[] = []
  for await (const chunk of textChunks(path, options)) {
    let start = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      pending.push(chunk.slice(start, end))
      yield withoutReturn(pending.join(''))
      pending = []
      start = end + 1
    }
    if (start < chunk.length) pending.push(chunk.slice(start))
  }
  if (pending.length > 0) yield withoutReturn(pending.join(''))
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line)
