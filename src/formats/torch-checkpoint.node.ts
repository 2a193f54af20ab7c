import { arrayConstructor, type DType, type TypedArray } from '../ir/dtype.js'
import { fileError } from './atomic-file.node.js'
import { FormatError } from './errors.js'
import { arrayFromBytes, type HostArray } from './host-array.js'
import { PickleObject, type PickleValue } from './pickle.js'
import { show } from './strict-json.js'
import type { TensorEntry, TensorFile } from './tensor-file.js'
import { openTorchContainer, type TorchContainer } from './torch-container.node.js'
import { namedTensors } from './torch-pickle.js'
import type { TorchTensor } from './torch-values.js'
import { bytesSource, fileSource } from './zip.node.js'

export interface TorchLoadOptions {
  /** Keys joined by dots: only what lies below is read, such as `state_dict` in a checkpoint that also holds an epoch. */
  root?: string
  signal?: AbortSignal
}

/** A pickled value whose tensors were read. Dictionaries are maps; tuples and lists are arrays. */
export type TorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | HostArray
  | TorchValue[]
  | Set<TorchValue>
  | Map<TorchValue, TorchValue>

/** Views may overlap, so tensors can be larger than the file that holds them; a hostile file makes them so without end. */
const MAX_EXPANSION = 4
const FREE_BYTES = 64 * 1024

/**
 * An open PyTorch checkpoint: its tensors by name (keys of nested dictionaries joined by dots), each read when asked for.
 * Nothing in the file is executed.
 */
export class TorchCheckpoint implements TensorFile {
  readonly entries: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>> = Object.freeze({})
  readonly #tensors: ReadonlyMap<string, TorchTensor>
  readonly #readers = new Map<string, number>()
  #recent: { readonly key: string; readonly bytes: Uint8Array } | undefined

  private constructor(
    readonly path: string,
    private readonly container: TorchContainer,
    private readonly root: PickleValue,
  ) {
    this.#tensors = namedTensors(root, path)
    for (const { storage } of this.#tensors.values()) {
      this.#readers.set(storage.key, (this.#readers.get(storage.key) ?? 0) + 1)
    }
    this.entries = new Map(
      [...this.#tensors].map(([name, tensor]) => {
        const { dtype, shape } = tensor
        return [name, { name, storedDType: dtype.name, dtype: dtype.dtype, shape, bytes: bytesOfTensor(tensor) }]
      }),
    )
  }

  static async open(source: string | Uint8Array, options: TorchLoadOptions = {}): Promise<TorchCheckpoint> {
    const path = typeof source === 'string' ? source : 'checkpoint'
    try {
      const bytes = typeof source === 'string' ? await fileSource(source) : bytesSource(source, path)
      const container = await openTorchContainer(bytes)
      try {
        return new TorchCheckpoint(path, container, below(container.value, options.root, path))
      } catch (error) {
        await container.close()
        throw error
      }
    } catch (error) {
      throw fileError('cannot read', path, error)
    }
  }

  async read(name: string, options: { signal?: AbortSignal } = {}): Promise<HostArray> {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined) {
      const names = [...this.#tensors.keys()]
      const shown = names.slice(0, 5).map((known) => show(known))
      throw new FormatError(
        `${this.path}: no tensor ${show(name)} among its ${names.length} (${shown.join(', ')}${names.length > 5 ? ', ...' : ''})`,
      )
    }
    options.signal?.throwIfAborted()
    return this.#load(tensor, `${this.path}: tensor ${show(name)}`)
  }

  /** Every tensor by name. Names of one and the same view (tied weights) share one array. */
  async readAll(options: { signal?: AbortSignal } = {}): Promise<Map<string, HostArray>> {
    this.#checkTotal()
    const seen = new Map<string, HostArray>()
    const arrays = new Map<string, HostArray>()
    for (const [name, tensor] of this.#tensors) {
      const view = viewKey(tensor)
      const array = seen.get(view) ?? (await this.read(name, options))
      seen.set(view, array)
      arrays.set(name, array)
    }
    return arrays
  }

  /** The whole pickled value, tensors read. @throws FormatError like {@link read} */
  async readValue(options: { signal?: AbortSignal } = {}): Promise<TorchValue> {
    const arrays = await this.readAll(options)
    const held = new Map([...this.#tensors].map(([name, tensor]) => [viewKey(tensor), arrays.get(name) as HostArray]))
    return convert(this.root, (tensor) => held.get(viewKey(tensor)) as HostArray)
  }

  close(): Promise<void> {
    this.#recent = undefined
    return this.container.close()
  }

  #checkTotal(): void {
    const sizes = new Map([...this.#tensors.values()].map((tensor) => [viewKey(tensor), bytesOfTensor(tensor)]))
    const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
    const limit = MAX_EXPANSION * this.container.fileBytes + FREE_BYTES
    if (total > limit) {
      throw new FormatError(`${this.path}: its tensors would take ${total} bytes, far more than the file's own`)
    }
  }

  async #load(tensor: TorchTensor, where: string): Promise<HostArray> {
    const { dtype, shape, storage } = tensor
    if (dtype.dtype === undefined) throw new FormatError(`${where}: is ${dtype.name}, which has no counterpart here`)
    if (bytesOfTensor(tensor) > this.container.fileBytes + FREE_BYTES) {
      throw new FormatError(
        `${where}: shape [${shape}] takes ${bytesOfTensor(tensor)} bytes, the whole file has ${this.container.fileBytes}`,
      )
    }
    const recent = this.#recent?.key === storage.key ? this.#recent.bytes : undefined
    let bytes: Uint8Array
    try {
      bytes = recent ?? (await this.container.storage(storage))
    } catch (error) {
      throw fileError('cannot read', this.path, error)
    }
    // Kept while neighbours that view the same storage are likely to be asked for next.
    const shared = (this.#readers.get(storage.key) ?? 0) > 1
    this.#recent = shared ? { key: storage.key, bytes } : undefined
    const data = elements(tensor, dtype.dtype, bytes, this.container.order, shared)
    return { dtype: dtype.dtype, shape: [...shape], data }
  }
}

const bytesOfTensor = ({ elements, dtype }: TorchTensor): number => elements * dtype.bytes

const viewKey = ({ storage, dtype, shape, strides, offset }: TorchTensor): string =>
  JSON.stringify([storage.key, dtype.name, shape, strides, offset])

/** The elements of a view in row-major order. */
function elements(
  tensor: TorchTensor,
  dtype: DType,
  storage: Uint8Array,
  order: 'little' | 'big',
  shared: boolean,
): TypedArray {
  const start = tensor.offset * tensor.dtype.bytes
  const touched = storage.subarray(start, start + tensor.extent * tensor.dtype.bytes)
  const whole = tensor.contiguous && !shared && touched.length === storage.length && order === 'little'
  const source = arrayFromBytes(whole ? touched : new Uint8Array(touched), dtype, order)
  return tensor.contiguous ? source : gather(source, dtype, tensor)
}

function gather(source: TypedArray, dtype: DType, { shape, strides, elements: total }: TorchTensor): TypedArray {
  const result = new (arrayConstructor(dtype))(total)
  const index = shape.map(() => 0)
  for (let to = 0, from = 0; to < total; to++) {
    result[to] = source[from]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
  return result
}

/** What lies below `root`, whose keys are joined by dots. A key may itself hold dots. */
function below(value: PickleValue, root: string | undefined, path: string): PickleValue {
  if (root === undefined || root === '') return value
  if (!(value instanceof Map)) throw new FormatError(`${path}: has nothing called ${show(root)}`)
  for (const [key, item] of value) {
    const name = String(key)
    if (name === root) return item
    if (root.startsWith(`${name}.`) && item instanceof Map) return below(item, root.slice(name.length + 1), path)
  }
  const names = [...value.keys()].slice(0, 10).map(String)
  throw new FormatError(`${path}: has nothing called ${show(root)}, only ${names.join(', ')}`)
}

/** The tree is at most as deep and wide as `namedTensors` has walked it. */
function convert(value: PickleValue, array: (tensor: TorchTensor) => HostArray): TorchValue {
  if (Array.isArray(value)) return value.map((item) => convert(item, array))
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [convert(key, array), convert(item, array)]))
  if (value instanceof Set) return new Set([...value].map((item) => convert(item, array)))
  if (!(value instanceof PickleObject)) return value
  return 'storage' in value ? array(value as TorchTensor) : value.describe()
}

/**
 * Opens a PyTorch checkpoint (`.pt`, `.pth`, `.bin`): the zip format and the older one. Only names and shapes are read; close it when done.
 * @throws FormatError where the file is malformed or asks for anything but tensors, naming what; FileError where it cannot be read
 */
export const openTorchCheckpoint = (
  source: string | Uint8Array,
  options?: TorchLoadOptions,
): Promise<TorchCheckpoint> => TorchCheckpoint.open(source, options)

/** Every tensor of a PyTorch checkpoint by name. @throws like {@link openTorchCheckpoint} */
export async function loadTorchStateDict(
  source: string | Uint8Array,
  options: TorchLoadOptions = {},
): Promise<Map<string, HostArray>> {
  const checkpoint = await openTorchCheckpoint(source, options)
  try {
    return await checkpoint.readAll(options)
  } finally {
    await checkpoint.close()
  }
}

/** Everything in a PyTorch checkpoint: tensors with the numbers, texts and containers around them. @throws like {@link openTorchCheckpoint} */
export async function readTorchCheckpoint(
  source: string | Uint8Array,
  options: TorchLoadOptions = {},
): Promise<TorchValue> {
  const checkpoint = await openTorchCheckpoint(source, options)
  try {
    return await checkpoint.readValue(options)
  } finally {
    await checkpoint.close()
  }
}
