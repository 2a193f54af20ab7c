import { randomBytes } from 'node:crypto'
import * as nodeFiles from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FileError } from './errors.js'

/** The file operations that writing needs; tests pass their own to simulate a full disk. */
export type FileOps = Pick<typeof nodeFiles, 'mkdir' | 'open' | 'readdir' | 'readFile' | 'realpath' | 'rename' | 'rm'>

export interface WriteOptions {
  signal?: AbortSignal
  /** Called as bytes reach the file. */
  onProgress?: (progress: { readonly bytes: number; readonly totalBytes: number | undefined }) => void
  files?: FileOps
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would grow past the allowed size',
  EISDIR: 'it is a directory',
  EMFILE: 'too many open files',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on the disk',
  ENOTDIR: 'a part of the path is not a directory',
  EROFS: 'the file system is read-only',
}

const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** Turns a system error into one line that says what failed and why; other errors pass through. */
export function fileError(action: string, path: string, error: unknown, consequence = ''): unknown {
  const code = systemCode(error)
  if (code === undefined || error instanceof FileError) return error
  const reason = REASONS[code] ?? (error as Error).message
  return new FileError(`${action} ${path}: ${reason} (${code})${consequence && `; ${consequence}`}`, path, code, error)
}

/** Longest single write or read: bounds the wait for an abort. */
export const IO_CHUNK_BYTES = 32 * 1024 * 1024

/** Writes bytes to an open file in order. */
export class FileSink {
  #position = 0
  constructor(
    private readonly handle: nodeFiles.FileHandle,
    private readonly options: WriteOptions,
    private readonly totalBytes?: number,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    let done = 0
    while (done < bytes.length) {
      this.options.signal?.throwIfAborted()
      const length = Math.min(IO_CHUNK_BYTES, bytes.length - done)
      const { bytesWritten } = await this.handle.write(bytes, done, length, this.#position)
      done += bytesWritten
      this.#position += bytesWritten
      this.options.onProgress?.({ bytes: this.#position, totalBytes: this.totalBytes })
    }
  }
}

/** Makes the names in a directory durable. Windows cannot open directories, and needs no such call. */
export async function syncDirectory(directory: string, files: FileOps = nodeFiles): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await files.open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Creates a file (which must not exist), writes it and waits until it is on the disk. */
export async function writeNewFile(
  path: string,
  write: (sink: FileSink) => Promise<void>,
  options: WriteOptions = {},
  totalBytes?: number,
): Promise<void> {
  const handle = await (options.files ?? nodeFiles).open(path, 'wx')
  try {
    await write(new FileSink(handle, options, totalBytes))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Writes a file so that `path` holds the old content or the new, never a part: a temporary file in the same directory is
 * written, synced and renamed. Where anything fails, the temporary file is removed and `path` is untouched.
 * @throws FileError naming the path and the reason
 */
export async function writeFileAtomic(
  path: string,
  write: (sink: FileSink) => Promise<void>,
  options: WriteOptions = {},
  totalBytes?: number,
): Promise<void> {
  const files = options.files ?? nodeFiles
  // Renaming over a symbolic link would replace the link: write where it leads.
  const target = await files.realpath(path).catch(() => path)
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`)
  try {
    await writeNewFile(temporary, write, options, totalBytes)
    options.signal?.throwIfAborted()
    await files.rename(temporary, target)
    await syncDirectory(dirname(target), files)
  } catch (error) {
    await files.rm(temporary, { force: true }).catch(() => undefined)
    throw fileError('cannot write', path, error, 'what was there before is unchanged')
  }
}
