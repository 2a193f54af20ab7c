/** The key-value pairs at the start of a GGUF file (ggml-org/ggml, docs/gguf.md), without its tensors. */
import { FormatError } from './errors.js'

export type GgufValue = number | bigint | boolean | string | readonly GgufValue[]

/** The bytes end before the metadata does: more of the file is needed. */
export class GgufTruncatedError extends FormatError {}

const MAX_PAIRS = 100_000
const MAX_NESTING = 4
const STRING = 8
const ARRAY = 9

type Read = (view: DataView, at: number) => number | bigint | boolean

/** Values of fixed size by the number of their type: bytes, and how to read them. */
const FIXED: Readonly<Record<number, readonly [number, Read]>> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  7: [1, (view, at) => view.getUint8(at) !== 0],
  10: [8, (view, at) => view.getBigUint64(at, true)],
  11: [8, (view, at) => view.getBigInt64(at, true)],
  12: [8, (view, at) => view.getFloat64(at, true)],
}

class Reader {
  at = 4
  private readonly view: DataView
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true })

  constructor(
    private readonly bytes: Uint8Array,
    private readonly where: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  fail(what: string): never {
    throw new FormatError(`${this.where}: ${what} at byte ${this.at}`)
  }

  need(count: number): void {
    if (count > this.bytes.length - this.at)
      throw new GgufTruncatedError(`${this.where}: ends inside the metadata, at byte ${this.at}`)
  }

  uint32(): number {
    this.need(4)
    this.at += 4
    return this.view.getUint32(this.at - 4, true)
  }

  count(): number {
    this.need(8)
    const value = this.view.getBigUint64(this.at, true)
    if (value > 2n ** 40n) this.fail(`a length of ${value}`)
    this.at += 8
    return Number(value)
  }

  string(): string {
    const length = this.count()
    this.need(length)
    this.at += length
    return this.decoder.decode(this.bytes.subarray(this.at - length, this.at))
  }

  value(type: number, depth: number): GgufValue {
    if (type === STRING) return this.string()
    if (type === ARRAY) return this.array(depth)
    const fixed = FIXED[type]
    if (!fixed) return this.fail(`an unknown type of value (${type})`)
    const [size, read] = fixed
    this.need(size)
    this.at += size
    return read(this.view, this.at - size)
  }

  private array(depth: number): GgufValue[] {
    if (depth > MAX_NESTING) this.fail('arrays nested too deep')
    const type = this.uint32()
    const length = this.count()
    // Each entry takes at least these bytes: a length beyond them is not allocated for.
    this.need(length * (FIXED[type]?.[0] ?? 8))
    const values: GgufValue[] = []
    for (let i = 0; i < length; i++) values.push(this.value(type, depth + 1))
    return values
  }
}

/**
 * Reads the metadata of a GGUF file from its first bytes.
 * @throws FormatError where they are none, {@link GgufTruncatedError} where more bytes are needed
 */
export function readGgufMetadata(bytes: Uint8Array, where = 'GGUF file'): Map<string, GgufValue> {
  const reader = new Reader(bytes, where)
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== 'GGUF')
    throw new FormatError(`${where}: does not start with 'GGUF'`)
  const version = reader.uint32()
  if (version !== 2 && version !== 3) reader.fail(`version ${version}, expected 2 or 3`)
  reader.count()
  const pairs = reader.count()
  if (pairs > MAX_PAIRS) reader.fail(`${pairs} pairs, expected at most ${MAX_PAIRS}`)
  const found = new Map<string, GgufValue>()
  for (let i = 0; i < pairs; i++) {
    const key = reader.string()
    found.set(key, reader.value(reader.uint32(), 0))
  }
  return found
}
