import { readFile } from 'node:fs/promises'
import { fileError, type WriteOptions, writeFileAtomic } from './atomic-file.node.js'
import type { HostArray } from './host-array.js'
import { parseNpy, serializeNpy } from './npy.js'
import { fileSource, ZipArchive } from './zip.node.js'

/** @throws FormatError where the file is malformed, FileError where it cannot be read */
export async function readNpy(path: string, options: { signal?: AbortSignal } = {}): Promise<HostArray> {
  try {
    return parseNpy(await readFile(path, options), path)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw fileError('cannot read', path, error)
  }
}

/** Writes a .npy file that appears whole or not at all. @throws FileError where the disk is full or the path cannot be written */
export async function writeNpy(path: string, array: HostArray, options?: WriteOptions): Promise<void> {
  const bytes = serializeNpy(array)
  await writeFileAtomic(path, (sink) => sink.write(bytes), options, bytes.length)
}

/** The arrays of a .npz archive, compressed or not, by name. @throws like {@link readNpy} */
export async function readNpz(path: string, options: { signal?: AbortSignal } = {}): Promise<Map<string, HostArray>> {
  const archive = await ZipArchive.open(await fileSource(path))
  try {
    const arrays = new Map<string, HostArray>()
    for (const name of archive.entries.keys()) {
      options.signal?.throwIfAborted()
      arrays.set(name.replace(/\.npy$/, ''), parseNpy(await archive.read(name), `${path}: ${name}`))
    }
    return arrays
  } finally {
    await archive.close()
  }
}
