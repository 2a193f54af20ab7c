/**
 * A machine for Python's pickle protocols 0 to 5 that builds plain data only. Names of classes and functions, calls, attribute
 * states and persistent ids go to a {@link PickleHost}, which decides what they mean; nothing is looked up or executed.
 * Source: the opcode table of Python's `pickletools`.
 */
import { FormatError } from './errors.js'
import { OPCODES } from './pickle-opcodes.js'

/** What a {@link PickleHost} stands in for a Python object that is not plain data. */
export abstract class PickleObject {
  /** For error messages. */
  abstract describe(): string
}

/** Tuples and lists are arrays, dictionaries are maps, integers beyond 2^53 are bigints. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleObject
  | PickleValue[]
  | Set<PickleValue>
  | Map<PickleValue, PickleValue>

/** Gives meaning to what is not plain data; throws to refuse. `where` starts the message of such an error. */
export interface PickleHost {
  /** A class or function that the pickle names, such as `collections.OrderedDict`. */
  global(name: string, where: string): PickleObject
  call(callee: PickleValue, args: readonly PickleValue[], where: string): PickleValue
  /** Sets the attributes of `object`. */
  build(object: PickleValue, state: PickleValue, where: string): void
  persistent(id: PickleValue, where: string): PickleValue
}

/** The pickle goes on past the bytes at hand. */
export class PickleTruncated extends FormatError {}

/** A container takes far more memory than its one byte of opcode: bounds what a hostile pickle can make us hold. */
const MAX_CONTAINERS = 1_000_000
/** Python writes integers of any length; numbers in checkpoints are short. */
const MAX_INTEGER_BYTES = 1024

const describe = (value: PickleValue | undefined): string => {
  if (value === undefined) return 'nothing'
  if (value === null) return 'None'
  if (value instanceof PickleObject) return value.describe()
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Map) return 'a dictionary'
  if (value instanceof Set) return 'a set'
  if (value instanceof Uint8Array) return 'bytes'
  return JSON.stringify(typeof value === 'bigint' ? `${value}` : value).slice(0, 60)
}

export { describe as describePickleValue }

/** Reads one pickle. Opcodes are in `pickle-opcodes.ts`; they work on these methods. */
export class PickleMachine {
  readonly stack: PickleValue[] = []
  readonly memo = new Map<number, PickleValue>()
  readonly #marks: number[] = []
  readonly #view: DataView
  #position: number
  #opcodeAt = 0
  #containers = 0

  constructor(
    private readonly bytes: Uint8Array,
    start: number,
    readonly host: PickleHost,
    private readonly source: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#position = start
  }

  /** Runs to STOP; `end` is the byte after it. */
  run(): { value: PickleValue; end: number } {
    for (;;) {
      this.#opcodeAt = this.#position
      const code = this.u8()
      const opcode = OPCODES.get(code)
      if (opcode === undefined) this.fail(`no pickle opcode has the code 0x${code.toString(16).padStart(2, '0')}`)
      if (opcode.name === 'STOP') return { value: this.pop(), end: this.#position }
      opcode.run(this)
    }
  }

  get where(): string {
    return `${this.source}: pickle byte ${this.#opcodeAt}`
  }

  fail(what: string): never {
    throw new FormatError(`${this.where}: ${what}`)
  }

  #take(count: number): number {
    const start = this.#position
    if (count > this.bytes.length - start) {
      throw new PickleTruncated(
        `${this.where}: needs ${count} bytes at ${start}, the pickle ends at ${this.bytes.length}`,
      )
    }
    this.#position += count
    return start
  }

  u8 = (): number => this.bytes[this.#take(1)]
  u16 = (): number => this.#view.getUint16(this.#take(2), true)
  u32 = (): number => this.#view.getUint32(this.#take(4), true)
  i32 = (): number => this.#view.getInt32(this.#take(4), true)
  f64 = (): number => this.#view.getFloat64(this.#take(8), false)
  u64 = (): number => {
    const value = this.#view.getBigUint64(this.#take(8), true)
    if (value > BigInt(this.bytes.length)) this.fail(`announces ${value} bytes, the pickle has ${this.bytes.length}`)
    return Number(value)
  }

  take(count: number): Uint8Array {
    const start = this.#take(count)
    return this.bytes.subarray(start, start + count)
  }

  /** So many bytes as text. */
  text(count: number): string {
    return utf8(this.take(count))
  }

  /** Text up to a line feed, as the opcodes of protocol 0 write it. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.#position)
    if (end < 0) {
      throw new PickleTruncated(`${this.where}: expected a line of text, the pickle ends before its line feed`)
    }
    const text = utf8(this.bytes.subarray(this.#position, end))
    this.#position = end + 1
    return text
  }

  /** Two's complement, little-endian. */
  integer(count: number): number | bigint {
    if (count > MAX_INTEGER_BYTES) this.fail(`an integer of ${count} bytes, at most ${MAX_INTEGER_BYTES} are read`)
    const bytes = this.take(count)
    let value = 0n
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i])
    return narrow(BigInt.asIntN(count * 8, value))
  }

  decimal(text: string): number | bigint {
    const digits = text.trim().replace(/L$/, '')
    if (!/^[+-]?\d{1,2000}$/.test(digits)) this.fail(`expected an integer, got ${JSON.stringify(text.slice(0, 60))}`)
    return narrow(BigInt(digits.replace(/^\+/, '')))
  }

  push(value: PickleValue): void {
    this.stack.push(value)
  }

  /** Pushes a new list, dictionary, set or tuple, of which there may be so many. */
  pushContainer(value: PickleValue): void {
    if (++this.#containers > MAX_CONTAINERS) this.fail(`more than ${MAX_CONTAINERS} containers in one pickle`)
    this.stack.push(value)
  }

  pop(): PickleValue {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) this.fail('takes a value from an empty stack')
    return this.stack.pop() as PickleValue
  }

  top(): PickleValue {
    const value = this.stack.length > (this.#marks.at(-1) ?? 0) ? this.stack.at(-1) : undefined
    return value === undefined ? this.fail('takes a value from an empty stack') : value
  }

  mark(): void {
    this.#marks.push(this.stack.length)
  }

  /** Everything above the last mark, which goes away. */
  popMark(): PickleValue[] {
    const start = this.#marks.pop()
    if (start === undefined) this.fail('takes values down to a mark, and there is none')
    return this.stack.splice(start)
  }

  /** Drops the top value, or the mark where there is none above it. */
  drop(): void {
    if (this.#marks.length > 0 && this.#marks.at(-1) === this.stack.length) this.#marks.pop()
    else this.pop()
  }

  remember(index: number): void {
    this.memo.set(index, this.top())
  }

  recall(index: number): void {
    const value = this.memo.get(index)
    if (value === undefined) this.fail(`reads memo ${index}, which was never written`)
    this.push(value)
  }

  list(value: PickleValue): PickleValue[] {
    return Array.isArray(value) ? value : this.fail(`expected a list, got ${describe(value)}`)
  }

  dictionary(value: PickleValue): Map<PickleValue, PickleValue> {
    return value instanceof Map ? value : this.fail(`expected a dictionary, got ${describe(value)}`)
  }

  string(value: PickleValue): string {
    return typeof value === 'string' ? value : this.fail(`expected text, got ${describe(value)}`)
  }

  /** Puts alternating keys and values into a dictionary. */
  setItems(target: PickleValue, items: readonly PickleValue[]): void {
    const map = this.dictionary(target)
    if (items.length % 2 !== 0) this.fail('expected a value for every key')
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1])
  }
}

const narrow = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

/** UTF-8, or Latin-1 where the bytes are not UTF-8, as in strings of Python 2. */
function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return new TextDecoder('latin1').decode(bytes)
  }
}
