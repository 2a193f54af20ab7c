/** HDF5 files as trees of groups and arrays, and their writing by the HDF5 library compiled to WebAssembly (h5wasm). */
import type { Group } from 'h5wasm'
import type { DType } from '../ir/dtype.js'
import { checkHostArray, type HostArray } from './host-array.js'
import { show } from './strict-json.js'

/** What an attribute holds. Types other than texts and numbers are left out. */
export type Hdf5Attribute = string | number | readonly string[]

export interface Hdf5Group {
  readonly attributes: ReadonlyMap<string, Hdf5Attribute>
  readonly groups: ReadonlyMap<string, Hdf5Group>
  readonly arrays: ReadonlyMap<string, HostArray>
}

type Library = typeof import('h5wasm')

let loading: Promise<Library> | undefined

/** The library, loaded on first use (4 MB). */
const load = (): Promise<Library> => {
  loading ??= import('h5wasm').then(async (library) => {
    const module = await library.ready
    module.activate_throwing_error_handler()
    return library
  })
  return loading
}

let files = 0

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
  for (const [name, child] of content.groups) writeGroup(group.create_group(name, false), child)
}

/** The bytes of an HDF5 file. @throws TypeError for element types that HDF5 lacks (f16, bf16) */
export async function serializeHdf5(content: Hdf5Group): Promise<Uint8Array> {
  const library = await load()
  if (!library.FS) throw new Error('the HDF5 library has no file system')
  const name = `/write-${++files}.h5`
  const file = new library.File(name, 'w', { libver: ['earliest', 'latest'], track_order: false })
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
