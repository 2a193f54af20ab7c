import { open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileError } from './atomic-file.node.js'
import { FormatError } from './errors.js'
import { openSafetensors, openSharded } from './safetensors.node.js'
import type { TensorFile } from './tensor-file.js'
import { openTorchCheckpoint } from './torch-checkpoint.node.js'

export interface OpenTensorsOptions {
  /** Base name that comes before `.safetensors` and the like in a folder, such as `adapter_model`. Default: `model`, or `pytorch_model`. */
  name?: string
}

/** What may hold a folder's weights, in the order of preference. */
const candidates = (name: string | undefined): string[] => {
  const [safe, torch] = name === undefined ? ['model', 'pytorch_model'] : [name, name]
  return [`${safe}.safetensors`, `${safe}.safetensors.index.json`, `${torch}.bin`, `${torch}.bin.index.json`]
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (info) => info.isFile(),
    () => false,
  )

/** Safetensors start with the length of their header, and the header with a brace; whatever else is left to the PyTorch reader. */
async function openByContent(path: string): Promise<TensorFile> {
  const head = new Uint8Array(9)
  try {
    const handle = await open(path, 'r')
    await handle.read(head, 0, 9, 0).finally(() => handle.close())
  } catch (error) {
    throw fileError('cannot read', path, error)
  }
  const isSafetensors = head[8] === 0x7b || path.endsWith('.safetensors')
  return isSafetensors ? openSafetensors(path) : openTorchCheckpoint(path)
}

/**
 * Opens the tensors of a checkpoint, whatever its format: a safetensors or PyTorch file (told apart by content), an index of shards
 * (`*.index.json`), or a folder as `save_pretrained` writes it. Only headers are read; close it when done.
 * @throws FormatError where a file is malformed, FileError where it cannot be read
 */
export async function openTensorFile(path: string, options: OpenTensorsOptions = {}): Promise<TensorFile> {
  if (basename(path).endsWith('.index.json')) return openSharded(path, openByContent)
  const info = await stat(path).catch((error: unknown) => {
    throw fileError('cannot read', path, error)
  })
  if (!info.isDirectory()) return openByContent(path)
  const names = candidates(options.name)
  for (const name of names) {
    const file = join(path, name)
    if (await isFile(file)) return name.endsWith('.index.json') ? openSharded(file, openByContent) : openByContent(file)
  }
  throw new FormatError(`${path}: expected one of ${names.join(', ')} in it, found none`)
}
