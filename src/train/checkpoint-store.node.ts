import { randomBytes } from 'node:crypto'
import * as nodeFiles from 'node:fs/promises'
import { join } from 'node:path'
import {
  type FileOps,
  fileError,
  syncDirectory,
  type WriteOptions,
  writeFileAtomic,
  writeNewFile,
} from '../formats/atomic-file.node.js'
import { FormatError } from '../formats/errors.js'
import { openSafetensors, type WritableTensors, writeSafetensors } from '../formats/safetensors.node.js'
import { isRecord, parseStrictJson, show } from '../formats/strict-json.js'
import type { TensorFile } from '../formats/tensor-file.js'

/** One file of a checkpoint. */
export type CheckpointPart =
  | { readonly tensors: WritableTensors; readonly metadata?: Readonly<Record<string, string>> }
  | { readonly json: unknown }
  | { readonly bytes: Uint8Array }

/** Files by name, such as `model.safetensors` and `state.json`. */
export type CheckpointFiles = Readonly<Record<string, CheckpointPart>>

export interface CheckpointStoreOptions {
  /** Complete checkpoints to keep; older ones are deleted. Default 3. */
  keep?: number
  /** For tests: the file operations to use. */
  files?: FileOps
}

const CHECKPOINT = /^checkpoint-(\d{1,15})$/
const TEMPORARY = /^\.tmp-(\d+)-[0-9a-f]+$/

/** Temporary folders that this process is writing. */
const writing = new Set<string>()

/** A complete checkpoint on disk. */
export class Checkpoint {
  constructor(
    readonly path: string,
    /** Counts saves, from 1. */
    readonly number: number,
    private readonly files: FileOps = nodeFiles,
  ) {}

  /** Opens a tensor file of the checkpoint; close it when done. */
  openTensors(name: string): Promise<TensorFile> {
    return openSafetensors(join(this.path, name))
  }

  /** @throws FormatError where the file is not JSON, FileError where it cannot be read */
  async readJson(name: string): Promise<unknown> {
    return parseStrictJson(await this.readBytes(name), join(this.path, name))
  }

  async readBytes(name: string): Promise<Uint8Array> {
    const path = join(this.path, name)
    try {
      return await this.files.readFile(path)
    } catch (error) {
      throw fileError('cannot read', path, error)
    }
  }
}

/**
 * Numbered checkpoints in a directory: `checkpoint-1`, `checkpoint-2`, ... and a JSON file `latest` that names the newest.
 * A checkpoint is written to a temporary folder, synced and renamed: a folder `checkpoint-N` is always complete, whenever
 * the process was killed, and the highest N is the newest.
 */
export class CheckpointStore {
  private constructor(
    readonly directory: string,
    private readonly keep: number,
    private readonly files: FileOps,
  ) {}

  /** Makes the directory if need be and removes what killed processes left half-written. */
  static async open(directory: string, options: CheckpointStoreOptions = {}): Promise<CheckpointStore> {
    const { keep = 3, files = nodeFiles } = options
    if (!Number.isSafeInteger(keep) || keep < 1)
      throw new TypeError(`keep should be a positive count of checkpoints, got ${keep}`)
    const store = new CheckpointStore(directory, keep, files)
    try {
      await files.mkdir(directory, { recursive: true })
      for (const name of await files.readdir(directory)) {
        const owner = TEMPORARY.exec(name)?.[1]
        if (owner !== undefined && !isInUse(join(directory, name), Number(owner)))
          await store.#remove(join(directory, name))
      }
    } catch (error) {
      throw fileError('cannot use the checkpoint directory', directory, error)
    }
    return store
  }

  /** Complete checkpoints, oldest first. */
  async list(): Promise<Checkpoint[]> {
    const numbers: number[] = []
    for (const name of await this.files.readdir(this.directory)) {
      const match = CHECKPOINT.exec(name)
      if (match !== null) numbers.push(Number(match[1]))
    }
    return numbers.sort((a, b) => a - b).map((number) => this.#at(number))
  }

  /** The newest complete checkpoint. */
  async latest(): Promise<Checkpoint | undefined> {
    return (await this.list()).at(-1)
  }

  /**
   * Writes a new checkpoint and waits until it is on the disk.
   * @throws FileError on a full disk or an unwritable directory, the signal's reason on abort; the checkpoints that were
   * there before are then unchanged and nothing half-written stays
   */
  async save(content: CheckpointFiles, options: Omit<WriteOptions, 'files'> = {}): Promise<Checkpoint> {
    for (const name of Object.keys(content)) {
      if (!/^[\w-][\w.-]*$/.test(name))
        throw new TypeError(`a checkpoint's file name should be plain, got ${show(name)}`)
    }
    const temporary = join(this.directory, `.tmp-${process.pid}-${randomBytes(6).toString('hex')}`)
    writing.add(temporary)
    try {
      const number = ((await this.latest())?.number ?? 0) + 1
      await this.#writeAll(temporary, content, options)
      const checkpoint = await this.#publish(temporary, number)
      await this.#prune(number)
      return checkpoint
    } catch (error) {
      await this.#remove(temporary).catch(() => undefined)
      throw fileError('cannot save a checkpoint to', this.directory, error, 'earlier checkpoints are unchanged')
    } finally {
      writing.delete(temporary)
    }
  }

  #at(number: number): Checkpoint {
    return new Checkpoint(join(this.directory, `checkpoint-${number}`), number, this.files)
  }

  async #writeAll(folder: string, content: CheckpointFiles, options: WriteOptions): Promise<void> {
    const own = { ...options, files: this.files }
    await this.files.mkdir(folder)
    for (const [name, part] of Object.entries(content)) {
      const path = join(folder, name)
      if ('tensors' in part) await writeSafetensors(path, part.tensors, part.metadata, { ...own, atomic: false })
      else {
        const bytes = 'bytes' in part ? part.bytes : jsonBytes(part.json, name)
        await writeNewFile(path, (sink) => sink.write(bytes), own, bytes.length)
      }
    }
    await syncDirectory(folder, this.files)
    options.signal?.throwIfAborted()
  }

  /** Gives the finished folder its name, then `latest` its content. */
  async #publish(temporary: string, number: number): Promise<Checkpoint> {
    const checkpoint = this.#at(number)
    await this.files.rename(temporary, checkpoint.path)
    try {
      await syncDirectory(this.directory, this.files)
      const latest = jsonBytes({ checkpoint: `checkpoint-${number}` }, 'latest')
      await writeFileAtomic(join(this.directory, 'latest'), (sink) => sink.write(latest), { files: this.files })
    } catch (error) {
      // `latest` did not fit on the disk: the save has failed as a whole.
      await this.files.rename(checkpoint.path, temporary).catch(() => undefined)
      throw error
    }
    return checkpoint
  }

  async #prune(newest: number): Promise<void> {
    const outdated = (await this.list()).filter(({ number }) => number < newest).slice(0, -this.keep + 1 || undefined)
    for (const { path } of outdated) {
      // Renamed first: a kill in mid-removal must not leave a part under a checkpoint's name.
      const doomed = join(this.directory, `.tmp-${process.pid}-${randomBytes(6).toString('hex')}`)
      await this.files.rename(path, doomed)
      await this.#remove(doomed)
    }
  }

  async #remove(folder: string): Promise<void> {
    await this.files.rm(folder, { recursive: true, force: true })
  }
}

function jsonBytes(value: unknown, name: string): Uint8Array {
  const text = JSON.stringify(value, undefined, 2)
  if (text === undefined) throw new TypeError(`${name}: ${String(value)} has no JSON form`)
  return new TextEncoder().encode(`${text}\n`)
}

/** Whether a live process still writes the folder. Process numbers are reused: our own counts only if we know the folder. */
function isInUse(folder: string, owner: number): boolean {
  if (owner === process.pid) return writing.has(folder)
  try {
    process.kill(owner, 0)
    return true
  } catch (error) {
    return isRecord(error) && error.code === 'EPERM'
  }
}

/**
 * Opens the newest checkpoint in `path`, or `path` itself where it is a checkpoint folder.
 * @throws FormatError where there is none
 */
export async function findCheckpoint(path: string): Promise<Checkpoint> {
  let names: string[]
  try {
    names = await nodeFiles.readdir(path)
  } catch (error) {
    throw fileError('cannot read the checkpoint directory', path, error)
  }
  const numbers = names.map((name) => Number(CHECKPOINT.exec(name)?.[1] ?? 0))
  const newest = Math.max(0, ...numbers)
  if (newest > 0) return new Checkpoint(join(path, `checkpoint-${newest}`), newest)
  if (names.includes('state.json')) return new Checkpoint(path, 0)
  throw new FormatError(`${path}: expected checkpoint-N folders or a state.json, found neither`)
}
