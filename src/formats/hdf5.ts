/**
 * HDF5 files as trees of groups and arrays, by the HDF5 library compiled to WebAssembly (h5wasm). The library sees one file in its own memory and
 * nothing of this machine's disk, so links to other files lead nowhere.
 */
import type { Attribute, Dataset, Group } from 'h5wasm'
import { type DType, dtypeBytes, isDType } from '../ir/dtype.js'
import { FormatError } from './errors.js'
import { arrayFromBytes, checkHostArray, elementCount, type HostArray } from './host-array.js'
import { show } from './strict-json.js'

/** What an attribute holds. Types other than texts and numbers are left out. */
export type Hdf5Attribute = string | number | readonly string[]

export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, Hdf5Attribute>
  readonly groups: ReadonlyMap<string, Hdf5Group>
  readonly arrays: ReadonlyMap<string, HostArray>
}

const MAX_DEPTH = 32
/** A group or array takes more than this; links that run in circles show as more of them than fit into the file. */
const MIN_NODE_BYTES = 32
/** Deflate cannot compress further than this. */
const MAX_DEFLATE_RATIO = 1032
const FREE_BYTES = 64 * 1024
/** Of a file in memory while it is read: elements, and what the library keeps of them. */
const MAX_EXPANSION = 4

type Library = typeof import('h5wasm')
type LibraryModule = Awaited<Library['ready']>

let loading: Promise<{ library: Library; module: LibraryModule }> | undefined

/** The library, loaded on first use (4 MB). */
const load = (): NonNullable<typeof loading> => {
  loading ??= import('h5wasm').then(async (library) => {
    const module = await library.ready
    module.activate_throwing_error_handler()
    return { library, module }
  })
  return loading
}

let files = 0

/** The library reports in many lines; the first says enough. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const detail = /in \w+\(\): (.+)/.exec(message)?.[1]
  return detail ?? message.split('\n')[0].slice(0, 200)
}

/** HDF5's classes of types, as numbers. */
enum TypeClass {
  Integer = 0,
  Float = 1,
  String = 3,
  Opaque = 5,
  Enum = 8,
}

interface StoredType {
  readonly type: number
  readonly size: number
  readonly signed: boolean
}

/** Our element type for a stored one. h5py stores booleans as an enumeration of bytes, and bfloat16 as opaque pairs with a note. */
function elementType({ type, size, signed }: StoredType, note: Hdf5Attribute | undefined): DType | undefined {
  if (type === TypeClass.Float) return size === 2 ? 'f16' : size === 4 ? 'f32' : size === 8 ? 'f64' : undefined
  if (type === TypeClass.Enum) return size === 1 ? 'bool' : undefined
  if (type === TypeClass.Opaque) return size === 2 && note === 'bfloat16' ? 'bf16' : undefined
  const name = `${signed ? 'i' : 'u'}${size * 8}`
  return type === TypeClass.Integer && isDType(name) ? name : undefined
}

/** Walks one open file. */
class Reader {
  #nodes = 0
  #bytes = 0

  constructor(
    private readonly module: LibraryModule,
    private readonly library: Library,
    private readonly source: string,
    private readonly fileBytes: number,
  ) {}

  group(group: Group, path: string, depth: number): Hdf5Group {
    if (depth > MAX_DEPTH) this.fail(path, `nested deeper than ${MAX_DEPTH} levels`)
    const groups = new Map<string, Hdf5Group>()
    const arrays = new Map<string, HostArray>()
    for (const name of group.keys()) {
      if (++this.#nodes * MIN_NODE_BYTES > this.fileBytes)
        this.fail(path, 'more groups and arrays than fit into the file')
      const child = group.get(name)
      const place = `${path}/${name}`
      if (child instanceof this.library.Group) groups.set(name, this.group(child, place, depth + 1))
      else if (child instanceof this.library.Dataset) {
        const array = this.array(child, place)
        if (array) arrays.set(name, array)
      }
    }
    return { attributes: this.attributes(group, path), groups, arrays }
  }

  /** The elements of a dataset; undefined for texts and compounds. */
  private array(dataset: Dataset, path: string): HostArray | undefined {
    const { metadata } = dataset
    const note = this.attributes(dataset, path).get('dtype')
    const dtype = metadata.vlen ? undefined : elementType(metadata, note)
    const shape = metadata.shape
    if (dtype === undefined || shape === null) return undefined
    this.checkSize(shape, metadata.chunks, dtypeBytes(dtype), dataset.filters.length > 0, path)
    const bytes = (elementCount(shape) as number) * dtypeBytes(dtype)
    const data = this.bytes(dataset, bytes)
    return { dtype, shape: [...shape], data: arrayFromBytes(data, dtype, metadata.littleEndian ? 'little' : 'big') }
  }

  /** A file may announce any extent without holding it, and any chunk, which the library would allocate whole. */
  private checkSize(
    shape: readonly number[],
    chunks: readonly number[] | null,
    size: number,
    filtered: boolean,
    path: string,
  ): void {
    const limit = this.fileBytes * (filtered ? MAX_DEFLATE_RATIO : 1) + FREE_BYTES
    const counts = [elementCount(shape), elementCount(chunks ?? [])]
    const bytes = Math.max(...counts.map((count) => (count ?? Number.POSITIVE_INFINITY) * size))
    this.#bytes += bytes
    if (this.#bytes > limit) {
      this.fail(path, `an array of shape [${shape}] does not fit into a file of ${this.fileBytes} bytes`)
    }
  }

  private bytes(dataset: Dataset, count: number): Uint8Array {
    if (count === 0) return new Uint8Array(0)
    const { module } = this
    const pointer = module._malloc(count)
    if (pointer === 0) throw new Error(`no memory for ${count} bytes`)
    try {
      module.HEAPU8.fill(0, pointer, pointer + count)
      module.get_dataset_data(dataset.file_id, dataset.path, null, null, null, BigInt(pointer))
      return module.HEAPU8.slice(pointer, pointer + count)
    } finally {
      module._free(pointer)
    }
  }

  private attributes(owner: Group | Dataset, path: string): Map<string, Hdf5Attribute> {
    const found = new Map<string, Hdf5Attribute>()
    for (const [name, attribute] of Object.entries(owner.attrs)) {
      const value = this.attribute(attribute, `${path}@${name}`)
      if (value !== undefined) found.set(name, value)
    }
    return found
  }

  private attribute(attribute: Attribute, path: string): Hdf5Attribute | undefined {
    const { metadata, shape } = attribute
    if (shape === null) return undefined
    const bytes = (elementCount(shape) ?? Number.POSITIVE_INFINITY) * metadata.size
    if (bytes > this.fileBytes + FREE_BYTES)
      this.fail(path, `an attribute of shape [${shape}] does not fit into the file`)
    const isText = metadata.type === TypeClass.String
    const isNumber = metadata.type === TypeClass.Integer || metadata.type === TypeClass.Float
    if (!isText && !(isNumber && shape.length === 0)) return undefined
    const { value } = attribute
    if (typeof value === 'string' || typeof value === 'number') return value
    if (typeof value === 'bigint') return Number(value)
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? (value as string[]) : undefined
  }

  private fail(path: string, what: string): never {
    throw new FormatError(`${this.source}: ${show(path || '/', 200)}: ${what}`)
  }
}

/** What the library needs besides the file's content. */
const WORKING_BYTES = 16 * 1024 * 1024
const PAGE_BYTES = 65_536

/**
 * Runs `work` while WebAssembly memory may grow by so many bytes only: the library takes lengths of texts from the file and allocates them before it
 * looks whether they can be true. Nothing else runs meanwhile, since `work` does not wait.
 */
function withMemory<T>(bytes: number, work: () => T): T {
  const { prototype } = WebAssembly.Memory
  const grow = prototype.grow
  let left = Math.ceil(bytes / PAGE_BYTES)
  prototype.grow = function limited(this: WebAssembly.Memory, pages: number): number {
    if (pages > left) throw new RangeError(`more than ${bytes} bytes of memory`)
    left -= pages
    return grow.call(this, pages)
  }
  try {
    return work()
  } finally {
    prototype.grow = grow
  }
}

const HEAP_HEADER_BYTES = 16
const OBJECT_HEADER_BYTES = 16

/**
 * Walks the heaps in which texts of any length lie. The library follows sizes in them without looking, and turns in circles where one is wrong.
 * Source: HDF5 File Format Specification, III.E.
 */
function checkGlobalHeaps(bytes: Uint8Array, source: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let start = 0; start + HEAP_HEADER_BYTES <= bytes.length; start += 8) {
    if (view.getUint32(start, false) !== 0x47434f4c || view.getUint32(start + 4, true) !== 1) continue // "GCOL", version 1
    const size = view.getBigUint64(start + 8, true)
    const fail = (): never => {
      throw new FormatError(`${source}: not a readable HDF5 file: the heap of texts at byte ${start} is damaged`)
    }
    if (size > BigInt(bytes.length - start)) fail()
    const end = start + Number(size)
    for (let at = start + HEAP_HEADER_BYTES; at + OBJECT_HEADER_BYTES <= end; ) {
      const index = view.getUint16(at, true)
      const held = view.getBigUint64(at + 8, true)
      if (held > BigInt(end - at)) fail()
      // Index 0 is the free rest, whose size counts its header.
      const taken = index === 0 ? Number(held) : OBJECT_HEADER_BYTES + Math.ceil(Number(held) / 8) * 8
      if (taken < OBJECT_HEADER_BYTES || at + taken > end) fail()
      at += taken
    }
  }
}

/**
 * Reads a whole HDF5 file from its bytes. Texts and compounds in datasets are left out.
 * @throws FormatError where it is malformed or announces more than it can hold
 */
export async function readHdf5(bytes: Uint8Array, source = 'hdf5'): Promise<Hdf5Group> {
  checkGlobalHeaps(bytes, source)
  const { library, module } = await load()
  if (!library.FS) throw new Error('the HDF5 library has no file system')
  const name = `/read-${++files}.h5`
  library.FS.writeFile(name, bytes)
  try {
    const file = new library.File(name, 'r')
    try {
      const reader = new Reader(module, library, source, bytes.length)
      return withMemory(MAX_EXPANSION * bytes.length + WORKING_BYTES, () => reader.group(file, '', 0))
    } finally {
      file.close()
    }
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw new FormatError(`${source}: not a readable HDF5 file: ${reason(error)}`, { cause: error })
  } finally {
    library.FS.unlink(name)
  }
}

/** Codes of h5wasm's element types. */
const CODES: { readonly [D in DType]?: string } = {
  f32: '<f',
  f64: '<d',
  i8: '<b',
  i16: '<h',
  i32: '<i',
  i64: '<q',
  u8: '<B',
  u32: '<I',
  bool: '<B',
}

type H5Array = Exclude<HostArray['data'], undefined>

function writeArray(group: Group, name: string, array: HostArray): void {
  checkHostArray(array, `array ${show(name)}`)
  const dtype = CODES[array.dtype]
  if (dtype === undefined)
    throw new TypeError(`array ${show(name)}: ${array.dtype} cannot be written to HDF5; convert it to f32`)
  group.create_dataset({ name, data: array.data as H5Array, shape: [...array.shape], dtype })
}

function writeAttribute(group: Group, name: string, value: Hdf5Attribute): void {
  if (typeof value === 'string') group.create_attribute(name, value)
  else if (typeof value === 'number') group.create_attribute(name, value)
  // A list without entries has no text to take the type from.
  else if (value.length === 0) group.create_attribute(name, [], [0], 'S1')
  else group.create_attribute(name, [...value])
}

function writeGroup(group: Group, content: Hdf5Group): void {
  for (const [name, value] of content.attributes) writeAttribute(group, name, value)
  for (const [name, array] of content.arrays) writeArray(group, name, array)
  for (const [name, child] of content.groups) writeGroup(group.create_group(name), child)
}

/** The bytes of an HDF5 file. @throws TypeError for element types that HDF5 lacks (f16, bf16) */
export async function serializeHdf5(content: Hdf5Group): Promise<Uint8Array> {
  const { library } = await load()
  if (!library.FS) throw new Error('the HDF5 library has no file system')
  const name = `/write-${++files}.h5`
  const file = new library.File(name, 'w')
  try {
    writeGroup(file, content)
    file.flush()
  } finally {
    file.close()
  }
  const bytes = new Uint8Array(library.FS.readFile(name))
  library.FS.unlink(name)
  return bytes
}

/** A group made step by step, for {@link serializeHdf5}. */
export class Hdf5Builder implements Hdf5Group {
  readonly attributes = new Map<string, Hdf5Attribute>()
  readonly groups = new Map<string, Hdf5Builder>()
  readonly arrays = new Map<string, HostArray>()

  /** The group at a path below this one, made where it is missing. */
  at(path: string): Hdf5Builder {
    return path
      .split('/')
      .filter((part) => part !== '')
      .reduce<Hdf5Builder>((group, part) => {
        const child = group.groups.get(part) ?? new Hdf5Builder()
        group.groups.set(part, child)
        return child
      }, this)
  }
}

/** The group at a path below another; undefined where there is none. */
export const hdf5At = (root: Hdf5Group, path: string): Hdf5Group | undefined =>
  path
    .split('/')
    .filter((part) => part !== '')
    .reduce<Hdf5Group | undefined>((group, part) => group?.groups.get(part), root)

/** Every array below a group by path. */
export function hdf5Arrays(root: Hdf5Group, prefix = ''): Map<string, HostArray> {
  const found = new Map<string, HostArray>()
  for (const [name, array] of root.arrays) found.set(prefix + name, array)
  for (const [name, child] of root.groups) {
    for (const [path, array] of hdf5Arrays(child, `${prefix}${name}/`)) found.set(path, array)
  }
  return found
}
