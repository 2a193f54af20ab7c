/** Reads HDF5 files: groups, arrays of numbers, attributes. Source: HDF5 File Format Specification 3.0. */
import { inflateSync } from 'node:zlib'
import { type DType, dtypeBytes, isDType } from '../ir/dtype.js'
import { FormatError } from './errors.js'
import type { Hdf5Attribute, Hdf5Group } from './hdf5.js'
import { Cursor, groupLinks, type Message, objectMessages, rootAddress, text, treeLeaves } from './hdf5-file.js'
import { arrayFromBytes, elementCount, type HostArray } from './host-array.js'
import { show } from './strict-json.js'

const MAX_DEPTH = 32
/** A group or array takes more than this; links that run in circles show as more of them than fit into the file. */
const MIN_NODE_BYTES = 32
/** Links may name an array more than once, so a little more than the file can come out. */
const MAX_EXPANSION = 4
/** Deflate cannot compress further than this. */
const MAX_DEFLATE_RATIO = 1032
const FREE_BYTES = 64 * 1024

const MESSAGE = {
  dataspace: 0x01,
  datatype: 0x03,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  attributeInfo: 0x15,
} as const
const CLASS = { integer: 0, float: 1, string: 3, opaque: 5, enumeration: 8, variable: 9 } as const

interface StoredType {
  readonly kind: number
  readonly size: number
  readonly signed: boolean
  readonly order: 'little' | 'big'
  /** Of variable length, a text. */
  readonly isText: boolean
}

function datatype(body: Cursor): StoredType {
  const kind = body.u8() & 15
  const bits = [body.u8(), body.u8(), body.u8()]
  const size = body.u32()
  const numeric = kind === CLASS.integer || kind === CLASS.float
  // An enumeration is stored as its base type, whose description follows.
  const base = kind === CLASS.enumeration ? datatype(body) : undefined
  return {
    kind,
    size,
    signed: (bits[0] & 8) !== 0,
    order: base?.order ?? (numeric && bits[0] & 1 ? 'big' : 'little'),
    isText: kind === CLASS.string || (kind === CLASS.variable && (bits[0] & 15) === 1),
  }
}

/** Extents; null for an object without elements, [] for a single one. */
function dataspace(body: Cursor): number[] | null {
  const version = body.u8()
  if (version !== 1 && version !== 2) body.fail(`expected a dataspace of version 1 or 2, got ${version}`)
  const rank = body.u8()
  body.skip(1)
  if (rank > 32) body.fail(`${rank} dimensions`)
  if (version === 1) body.skip(5)
  else if (body.u8() === 2) return null
  return Array.from({ length: rank }, () => body.u64())
}

/** Our element type for a stored one. h5py stores booleans as an enumeration of bytes, and bfloat16 as opaque pairs with a note. */
function elementType({ kind, size, signed }: StoredType, note: Hdf5Attribute | undefined): DType | undefined {
  if (kind === CLASS.float) return size === 2 ? 'f16' : size === 4 ? 'f32' : size === 8 ? 'f64' : undefined
  if (kind === CLASS.enumeration) return size === 1 ? 'bool' : undefined
  if (kind === CLASS.opaque) return size === 2 && note === 'bfloat16' ? 'bf16' : undefined
  const name = `${signed ? 'i' : 'u'}${size * 8}`
  return kind === CLASS.integer && isDType(name) ? name : undefined
}

const bodyOf = (messages: readonly Message[], type: number): Cursor | undefined => {
  const message = messages.find((candidate) => candidate.type === type)
  if (message && (message.flags & 2) !== 0) message.body.fail('messages shared between objects are not read')
  return message?.body
}

class Reader {
  #nodes = 0
  /** Bytes of arrays, of unpacked pieces and of texts, and messages: bounded, since links can name one thing many times. */
  #bytes = 0
  #unpacked = 0
  #texts = 0
  #messages = 0
  readonly #heaps = new Map<number, ReadonlyMap<number, Cursor>>()

  constructor(
    private readonly file: Cursor,
    private readonly fileBytes: number,
  ) {}

  group(address: number, path: string, depth: number, messages = this.messages(address)): Hdf5Group {
    if (depth > MAX_DEPTH) this.fail(path, `nested deeper than ${MAX_DEPTH} levels`)
    const groups = new Map<string, Hdf5Group>()
    const arrays = new Map<string, HostArray>()
    for (const link of groupLinks(this.file, messages) ?? []) {
      if (++this.#nodes * MIN_NODE_BYTES > this.fileBytes)
        this.fail(path, 'more groups and arrays than fit into the file')
      const place = `${path}/${link.name}`
      const member = this.messages(link.address)
      if (bodyOf(member, MESSAGE.layout)) {
        const array = this.array(member, place)
        if (array) arrays.set(link.name, array)
      } else groups.set(link.name, this.group(link.address, place, depth + 1, member))
    }
    return { attributes: this.attributes(messages), groups, arrays }
  }

  private messages(address: number): Message[] {
    const messages = objectMessages(this.file, address)
    this.#messages += messages.length
    if (this.#messages > this.fileBytes) this.fail('', 'more messages than fit into the file')
    return messages
  }

  /** The elements of a dataset; undefined for texts and compounds. */
  private array(messages: readonly Message[], path: string): HostArray | undefined {
    const [space, stored] = [bodyOf(messages, MESSAGE.dataspace), bodyOf(messages, MESSAGE.datatype)]
    if (!space || !stored) return this.fail(path, 'an array without shape or type')
    const [shape, type] = [dataspace(space), datatype(stored)]
    const dtype = elementType(type, this.attributes(messages).get('dtype'))
    if (dtype === undefined || shape === null) return undefined
    const size = dtypeBytes(dtype)
    const bytes = (elementCount(shape) ?? Number.POSITIVE_INFINITY) * size
    const filters = this.filters(messages)
    this.count(bytes, filters.length > 0, shape, path)
    const content = this.content(messages, shape, size, filters, path)
    if (content.length < bytes)
      this.fail(path, `an array of shape [${shape}] takes ${bytes} bytes, ${content.length} are stored`)
    return { dtype, shape, data: arrayFromBytes(new Uint8Array(content.subarray(0, bytes)), dtype, type.order) }
  }

  /** Refuses extents that the file cannot hold, before memory is taken for them. */
  private count(bytes: number, filtered: boolean, shape: readonly number[], path: string): void {
    this.#bytes += bytes
    if (this.#bytes > this.limit(filtered))
      this.fail(path, `an array of shape [${shape}] does not fit into a file of ${this.fileBytes} bytes`)
  }

  private limit(filtered: boolean): number {
    return this.fileBytes * (filtered ? MAX_DEFLATE_RATIO : MAX_EXPANSION) + FREE_BYTES
  }

  private content(
    messages: readonly Message[],
    shape: readonly number[],
    size: number,
    filters: readonly number[],
    path: string,
  ): Uint8Array {
    const layout = bodyOf(messages, MESSAGE.layout) as Cursor
    const version = layout.u8()
    if (version !== 3) this.fail(path, `storage of version ${version}: save the file with default settings`)
    const kind = layout.u8()
    const total = (elementCount(shape) as number) * size
    if (kind === 0) return layout.take(layout.u16())
    if (kind === 1) {
      const address = layout.address()
      const length = layout.u64()
      // Nothing was ever written: all elements are zero.
      return address === undefined
        ? new Uint8Array(total)
        : this.file.at(address, Math.min(length, total)).take(Math.min(length, total))
    }
    if (kind !== 2) this.fail(path, `storage of kind ${kind}`)
    return this.chunks(layout, shape, size, filters, path)
  }

  /** Puts the pieces of an array together. */
  private chunks(
    layout: Cursor,
    shape: readonly number[],
    size: number,
    filters: readonly number[],
    path: string,
  ): Uint8Array {
    const rank = layout.u8() - 1
    const root = layout.address()
    const chunk = Array.from({ length: Math.max(0, rank) }, () => layout.u32())
    const bytes = (elementCount(chunk) ?? Number.POSITIVE_INFINITY) * size
    if (rank !== shape.length || layout.u32() !== size || bytes === 0)
      this.fail(path, 'pieces that do not fit the array')
    this.count(bytes, filters.length > 0, chunk, path)
    const result = new Uint8Array((elementCount(shape) as number) * size)
    if (root === undefined) return result
    const key = (node: Cursor) => {
      const [stored, mask] = [node.u32(), node.u32()]
      const offset = chunk.map(() => node.u64())
      node.skip(8)
      return { stored, mask, offset }
    }
    for (const { key: found, child } of treeLeaves(this.file, root, 1, key)) {
      this.#unpacked += bytes
      if (this.#unpacked > MAX_EXPANSION * this.limit(filters.length > 0))
        this.fail(path, 'more pieces than the array has')
      const piece = this.unfiltered(
        this.file.at(child, found.stored).take(found.stored),
        filters,
        found.mask,
        bytes,
        size,
        path,
      )
      place(piece, found.offset, chunk, result, shape, size)
    }
    return result
  }

  /** Filters of a dataset by number, in the order in which they were applied. */
  private filters(messages: readonly Message[]): number[] {
    const body = bodyOf(messages, MESSAGE.filters)
    if (!body) return []
    const version = body.u8()
    const count = body.u8()
    if (version === 1) body.skip(6)
    return Array.from({ length: count }, () => {
      const id = body.u16()
      const named = version === 1 || id >= 256
      const nameBytes = named ? body.u16() : 0
      body.skip(2)
      const values = body.u16()
      body.skip(nameBytes + values * 4 + (version === 1 && values % 2 === 1 ? 4 : 0))
      return id
    })
  }

  private unfiltered(
    stored: Uint8Array,
    filters: readonly number[],
    mask: number,
    bytes: number,
    size: number,
    path: string,
  ): Uint8Array {
    let piece = stored
    for (let i = filters.length - 1; i >= 0; i--) {
      if ((mask >> i) & 1) continue
      const undo = FILTERS.get(filters[i])
      if (!undo) this.fail(path, `the filter ${filters[i]} is not known, only ${[...FILTERS.keys()].join(', ')}`)
      try {
        piece = undo(piece, size, bytes)
      } catch (error) {
        this.fail(path, `a piece cannot be unpacked: ${(error as Error).message}`)
      }
    }
    if (piece.length !== bytes) this.fail(path, `a piece of ${piece.length} bytes, expected ${bytes}`)
    return piece
  }

  private attributes(messages: readonly Message[]): Map<string, Hdf5Attribute> {
    const found = new Map<string, Hdf5Attribute>()
    const info = bodyOf(messages, MESSAGE.attributeInfo)
    if (info) {
      info.skip(1)
      if (info.u8() & 1) info.skip(2)
      if (info.address() !== undefined)
        info.fail('attributes in the dense form of newer HDF5 versions: save the file with default settings')
      info.position = info.end
    }
    for (const { type, body } of messages) {
      if (type !== MESSAGE.attribute) continue
      const attribute = this.attribute(body.at(body.position, body.end - body.position))
      if (attribute) found.set(attribute[0], attribute[1])
    }
    return found
  }

  /** Name and value; undefined for other than texts and single numbers. */
  private attribute(body: Cursor): [string, Hdf5Attribute] | undefined {
    const version = body.u8()
    if (version < 1 || version > 3) body.fail(`expected an attribute of version 1 to 3, got ${version}`)
    const flags = body.u8()
    const shared = version > 1 && flags !== 0
    const sizes = [body.u16(), body.u16(), body.u16()]
    if (version === 3) body.skip(1)
    const [name, type, space] = sizes.map((size) => {
      const part = body.at(body.position, size)
      body.skip(size)
      if (version === 1) body.align(part.position)
      return part
    })
    if (shared) return undefined
    const key = text(name.take(sizes[0]))
    const [stored, shape] = [datatype(type), dataspace(space)]
    if (shape === null) return undefined
    const count = elementCount(shape) ?? Number.POSITIVE_INFINITY
    if (count * stored.size > body.end - body.position) body.fail(`an attribute of shape [${shape}] does not fit`)
    if (stored.isText && stored.size > 0) {
      const texts = Array.from({ length: count }, () => this.text(body, stored))
      return [key, shape.length === 0 ? texts[0] : texts]
    }
    const dtype = elementType(stored, undefined)
    if (dtype === undefined || shape.length > 0) return shape.includes(0) ? [key, []] : undefined
    return [key, Number(arrayFromBytes(new Uint8Array(body.take(stored.size)), dtype, stored.order)[0])]
  }

  private text(body: Cursor, { kind, size }: StoredType): string {
    if (kind === CLASS.string) return text(body.take(size)).trimEnd()
    const length = body.u32()
    const heap = body.address()
    const index = body.u32()
    return length === 0 || heap === undefined ? '' : text(this.heapObject(heap, index, length))
  }

  /** Texts of any length lie in heaps of numbered objects. */
  private heapObject(address: number, index: number, length: number): Uint8Array {
    const heap = this.#heaps.get(address) ?? heapObjects(this.file, address)
    this.#heaps.set(address, heap)
    const object = heap.get(index)
    if (!object) return this.file.at(address).fail(`the heap has no object ${index}`)
    this.#texts += length
    if (this.#texts > this.limit(false)) object.fail('more texts than fit into the file')
    return object.at(object.position, object.end - object.position).take(length)
  }

  private fail(path: string, what: string): never {
    throw new FormatError(`${this.file.source}: ${show(path || '/', 200)}: ${what}`)
  }
}

/** The objects of a heap by number. */
function heapObjects(file: Cursor, address: number): ReadonlyMap<number, Cursor> {
  const head = file.at(address)
  head.signature('GCOL')
  head.skip(4)
  const heap = file.at(address, head.u64())
  heap.skip(16)
  const objects = new Map<number, Cursor>()
  while (heap.end - heap.position >= 16) {
    const start = heap.position
    const index = heap.u16()
    heap.skip(6)
    const size = heap.u64()
    // Number 0 is the free rest.
    if (index === 0) break
    objects.set(index, file.at(heap.position, size))
    heap.skip(size)
    heap.align(start)
  }
  return objects
}

/** Copies a piece to where it belongs; pieces at the edges reach past the array. */
function place(
  piece: Uint8Array,
  offset: readonly number[],
  chunk: readonly number[],
  result: Uint8Array,
  shape: readonly number[],
  size: number,
): void {
  const copy = (axis: number, from: number, to: number): void => {
    const count = Math.min(chunk[axis], shape[axis] - offset[axis])
    if (!(count > 0)) return
    const inner = (extents: readonly number[]) =>
      extents.slice(axis + 1).reduce((product, extent) => product * extent, size)
    if (axis === shape.length - 1) {
      result.set(piece.subarray(from, from + count * size), to + offset[axis] * size)
      return
    }
    const [fromStep, toStep] = [inner(chunk), inner(shape)]
    for (let i = 0; i < count; i++) copy(axis + 1, from + i * fromStep, to + (offset[axis] + i) * toStep)
  }
  if (shape.length === 0) result.set(piece.subarray(0, size))
  else copy(0, 0, 0)
}

type Undo = (bytes: Uint8Array, size: number, expected: number) => Uint8Array

/** Puts the first bytes of all elements, then the second, ... back into elements. */
const unshuffle: Undo = (bytes, size) => {
  const count = Math.floor(bytes.length / size)
  const result = new Uint8Array(bytes)
  for (let byte = 0; byte < size; byte++)
    for (let i = 0; i < count; i++) result[i * size + byte] = bytes[byte * count + i]
  return result
}

/** By HDF5's numbers: deflate, shuffle, and a checksum at the end (which is not checked). */
const FILTERS: ReadonlyMap<number, Undo> = new Map([
  [1, (bytes, _size, expected) => new Uint8Array(inflateSync(bytes, { maxOutputLength: expected + 4 }))],
  [2, unshuffle],
  [3, (bytes) => bytes.subarray(0, Math.max(0, bytes.length - 4))],
])

/**
 * Reads a whole HDF5 file from its bytes: what h5py writes by default. Texts and compounds in datasets are left out, as are links to other files.
 * @throws FormatError where it is malformed, announces more than it holds, or uses structures of newer format versions
 */
export function readHdf5(bytes: Uint8Array, source = 'hdf5'): Hdf5Group {
  const file = new Cursor(bytes, 0, bytes.length, source)
  return new Reader(file, bytes.length).group(rootAddress(file), '', 0)
}
