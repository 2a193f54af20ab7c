/**
 * The safetensors format: 8 bytes of header length (u64, little-endian), a JSON header naming dtype, shape and byte range
 * of every tensor, then the data. Source: https://github.com/huggingface/safetensors (README, "Format").
 * The reader is strict: whatever is not a well-formed file is refused before anything is allocated for it.
 */

import { type DType, dtypeBytes } from '../ir/dtype.js'
import { FormatError } from './errors.js'
import { arrayFromBytes, checkHostArray, elementCount, type HostArray, littleEndianBytes } from './host-array.js'
import { isRecord, parseStrictJson, show } from './strict-json.js'
import type { TensorEntry } from './tensor-file.js'

/** Header limit of the reference implementation. */
export const MAX_HEADER_BYTES = 100_000_000

/** Bits an element and our element type; `dtype` is undefined for types that can be listed but not read. */
const STORED_DTYPES: Readonly<Record<string, { bits: number; dtype?: DType }>> = Object.assign(Object.create(null), {
  F64: { bits: 64, dtype: 'f64' },
  F32: { bits: 32, dtype: 'f32' },
  F16: { bits: 16, dtype: 'f16' },
  BF16: { bits: 16, dtype: 'bf16' },
  I64: { bits: 64, dtype: 'i64' },
  I32: { bits: 32, dtype: 'i32' },
  I16: { bits: 16, dtype: 'i16' },
  I8: { bits: 8, dtype: 'i8' },
  U32: { bits: 32, dtype: 'u32' },
  U8: { bits: 8, dtype: 'u8' },
  BOOL: { bits: 8, dtype: 'bool' },
  U64: { bits: 64 },
  U16: { bits: 16 },
  C64: { bits: 64 },
  F8_E4M3: { bits: 8 },
  F8_E5M2: { bits: 8 },
  F8_E8M0: { bits: 8 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  F4: { bits: 4 },
})

const STORED_NAME: Readonly<Record<DType, string>> = {
  f32: 'F32',
  f64: 'F64',
  f16: 'F16',
  bf16: 'BF16',
  i8: 'I8',
  i16: 'I16',
  u8: 'U8',
  i32: 'I32',
  u32: 'U32',
  i64: 'I64',
  bool: 'BOOL',
}

/** One tensor's entry in the header. */
export interface SafetensorsEntry extends TensorEntry {
  /** Byte range in the file, end exclusive. */
  readonly start: number
  readonly end: number
}

export interface SafetensorsHeader {
  /** What errors call the file. */
  readonly source: string
  /** Tensors in the header's order. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Length of the JSON header, from the first 8 bytes of a file of `fileBytes` bytes.
 * @throws FormatError where the length passes the file's end or {@link MAX_HEADER_BYTES}.
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, source: string): number {
  if (fileBytes < 8 || prefix.length < 8) {
    throw new FormatError(
      `${source}: a safetensors file starts with 8 bytes of header length, this has ${fileBytes} bytes`,
    )
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(fileBytes - 8)) {
    throw new FormatError(
      `${source}: the header should be ${length} bytes long, the file has ${fileBytes - 8} after its length`,
    )
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw new FormatError(`${source}: the header is ${length} bytes long, at most ${MAX_HEADER_BYTES} are allowed`)
  }
  return Number(length)
}

/**
 * Checks and reads the JSON header of a file of `fileBytes` bytes.
 * @throws FormatError naming file, tensor, what was expected and what came.
 */
export function parseHeader(json: Uint8Array, fileBytes: number, source: string): SafetensorsHeader {
  if (json[0] !== 0x7b) throw new FormatError(`${source}: the header should be a JSON object and start with "{"`)
  const header = parseStrictJson(json, `${source}: header`)
  if (!isRecord(header)) throw new FormatError(`${source}: the header should be a JSON object, got ${show(header)}`)
  const dataStart = 8 + json.length
  const entries = new Map<string, SafetensorsEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value, source)
    else entries.set(name, parseEntry(name, value, dataStart, fileBytes, source))
  }
  checkCoverage(entries, dataStart, fileBytes, source)
  return { source, entries, metadata }
}

function parseMetadata(value: unknown, source: string): Record<string, string> {
  const metadata: Record<string, string> = Object.create(null)
  if (!isRecord(value))
    throw new FormatError(`${source}: __metadata__ should be an object of strings, got ${show(value)}`)
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new FormatError(`${source}: __metadata__.${key} should be a string, got ${show(text)}`)
    metadata[key] = text
  }
  return metadata
}

function parseEntry(
  name: string,
  value: unknown,
  dataStart: number,
  fileBytes: number,
  source: string,
): SafetensorsEntry {
  const where = `${source}: tensor ${show(name)}`
  if (!isRecord(value)) throw new FormatError(`${where}: expected {dtype, shape, data_offsets}, got ${show(value)}`)
  const { dtype, shape, data_offsets: offsets } = value
  for (const key of Object.keys(value)) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets')
      throw new FormatError(`${where}: unknown field ${show(key)}`)
  }
  const stored = typeof dtype === 'string' ? STORED_DTYPES[dtype] : undefined
  if (stored === undefined) {
    throw new FormatError(
      `${where}: dtype should be one of ${Object.keys(STORED_DTYPES).join(', ')}, got ${show(dtype)}`,
    )
  }
  if (!isCountList(shape)) throw new FormatError(`${where}: shape should be a list of sizes, got ${show(shape)}`)
  if (!isCountList(offsets) || offsets.length !== 2) {
    throw new FormatError(`${where}: data_offsets should be two byte positions, got ${show(offsets)}`)
  }
  const [begin, end] = offsets
  const held = fileBytes - dataStart
  if (begin > end || end > held) {
    throw new FormatError(
      `${where}: data_offsets [${begin}, ${end}] should be ordered and within the file's ${held} data bytes`,
    )
  }
  const bits = (elementCount(shape) ?? Number.POSITIVE_INFINITY) * stored.bits
  if (bits !== (end - begin) * 8) {
    throw new FormatError(
      `${where}: ${dtype} of shape [${shape}] takes ${bits / 8} bytes, its data_offsets hold ${end - begin}`,
    )
  }
  return {
    name,
    storedDType: dtype as string,
    dtype: stored.dtype,
    shape,
    bytes: end - begin,
    start: dataStart + begin,
    end: dataStart + end,
  }
}

const isCountList = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0 && !Object.is(item, -0))

/** Tensors must cover the data without overlap, hole or trailing bytes. */
function checkCoverage(
  entries: ReadonlyMap<string, SafetensorsEntry>,
  dataStart: number,
  fileBytes: number,
  source: string,
) {
  const ordered = [...entries.values()].sort((a, b) => a.start - b.start || a.end - b.end)
  let position = dataStart
  for (const entry of ordered) {
    if (entry.start !== position) {
      const fault = entry.start < position ? 'overlaps the tensor before it' : 'leaves a hole before it'
      throw new FormatError(
        `${source}: tensor ${show(entry.name)} ${fault}: starts at data byte ${entry.start - dataStart}, expected ${position - dataStart}`,
      )
    }
    position = entry.end
  }
  if (position !== fileBytes) {
    throw new FormatError(
      `${source}: the tensors end at data byte ${position - dataStart}, the file holds ${fileBytes - dataStart}`,
    )
  }
}

/** The entry called `name`. @throws FormatError naming similar tensors where there is none. */
export function requireEntry(header: SafetensorsHeader, name: string): SafetensorsEntry & { readonly dtype: DType } {
  const entry = header.entries.get(name)
  if (entry === undefined) {
    const names = [...header.entries.keys()]
    const shown = names.slice(0, 5).map((known) => show(known))
    throw new FormatError(
      `${header.source}: no tensor ${show(name)} among its ${names.length}${shown.length ? ` (${shown.join(', ')}${names.length > 5 ? ', ...' : ''})` : ''}`,
    )
  }
  if (entry.dtype === undefined) {
    const known = Object.values(STORED_NAME).join(', ')
    throw new FormatError(`${header.source}: tensor ${show(name)} is ${entry.storedDType}, only ${known} can be read`)
  }
  return { ...entry, dtype: entry.dtype }
}

/** A safetensors file in memory. Arrays share the bytes where alignment allows it. */
export class SafetensorsBytes {
  constructor(
    readonly header: SafetensorsHeader,
    private readonly bytes: Uint8Array,
  ) {}

  get metadata(): Readonly<Record<string, string>> {
    return this.header.metadata
  }

  names(): string[] {
    return [...this.header.entries.keys()]
  }

  has(name: string): boolean {
    return this.header.entries.has(name)
  }

  /** @throws FormatError where the file has no such tensor or its type cannot be read. */
  get(name: string): HostArray {
    const { dtype, shape, start, end } = requireEntry(this.header, name)
    return { dtype, shape, data: arrayFromBytes(this.bytes.subarray(start, end), dtype) }
  }

  /** Every tensor by name. */
  all(): Map<string, HostArray> {
    return new Map(this.names().map((name) => [name, this.get(name)]))
  }
}

/**
 * Reads a safetensors file from its bytes; `source` is what errors call it.
 * @throws FormatError
 */
export function parseSafetensors(bytes: Uint8Array, source = 'safetensors'): SafetensorsBytes {
  const length = headerLength(bytes, bytes.length, source)
  return new SafetensorsBytes(parseHeader(bytes.subarray(8, 8 + length), bytes.length, source), bytes)
}

/** A tensor to write whose elements are fetched when their turn comes. */
export interface LazyHostArray {
  readonly dtype: DType
  readonly shape: readonly number[]
  load(): HostArray | Promise<HostArray>
}

export interface SafetensorsLayout<T> {
  /** Length and header, to be written first. */
  readonly prefix: Uint8Array
  /** Tensors in file order. */
  readonly ordered: readonly (readonly [name: string, tensor: T])[]
  /** Size of the whole file. */
  readonly fileBytes: number
}

export type NamedTensors<T> = Readonly<Record<string, T>> | ReadonlyMap<string, T>

const STORED_ORDER = Object.keys(STORED_DTYPES)

/**
 * Decides the bytes of a file before any of its data: like the reference writer, wide elements first and then by name,
 * so that every tensor is aligned and equal tensors give equal files.
 */
export function layoutSafetensors<T extends { readonly dtype: DType; readonly shape: readonly number[] }>(
  tensors: NamedTensors<T>,
  metadata?: Readonly<Record<string, string>>,
): SafetensorsLayout<T> {
  const named: [string, T][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors)
  const rank = ([, { dtype }]: [string, T]) => -dtypeBytes(dtype) * 100 + STORED_ORDER.indexOf(STORED_NAME[dtype])
  named.sort((a, b) => rank(a) - rank(b) || (a[0] < b[0] ? -1 : 1))
  const fields: string[] = []
  if (metadata !== undefined) fields.push(`"__metadata__":${JSON.stringify(checkMetadata(metadata))}`)
  let position = 0
  for (const [name, { dtype, shape }] of named) {
    const count = elementCount(shape)
    if (name === '__metadata__') throw new TypeError('a tensor cannot be called "__metadata__"')
    if (count === undefined)
      throw new TypeError(`tensor ${show(name)}: [${shape}] is not a shape of non-negative integers`)
    const end = position + count * dtypeBytes(dtype)
    const entry = { dtype: STORED_NAME[dtype], shape, data_offsets: [position, end] }
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
    position = end
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`)
  // Padding with spaces to 8 bytes aligns the data within the file.
  const padded = Math.ceil(json.length / 8) * 8
  if (padded > MAX_HEADER_BYTES)
    throw new RangeError(`the header would take ${padded} bytes, at most ${MAX_HEADER_BYTES} are allowed`)
  const prefix = new Uint8Array(8 + padded).fill(0x20, 8)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(padded), true)
  prefix.set(json, 8)
  return { prefix, ordered: named, fileBytes: prefix.length + position }
}

function checkMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw new TypeError(`metadata ${show(key)} should be a string, got ${show(value)}`)
  }
  return metadata
}

/** The bytes of a safetensors file with these tensors. @throws where a tensor's data does not fit its shape and dtype. */
export function serializeSafetensors(
  tensors: NamedTensors<HostArray>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const { prefix, ordered, fileBytes } = layoutSafetensors(tensors, metadata)
  const file = new Uint8Array(fileBytes)
  file.set(prefix)
  let position = prefix.length
  for (const [name, array] of ordered) {
    checkHostArray(array, `tensor ${show(name)}`)
    const bytes = littleEndianBytes(array.data)
    file.set(bytes, position)
    position += bytes.length
  }
  return file
}
