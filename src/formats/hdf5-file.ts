/**
 * The lower part of reading HDF5: positions, object headers, groups. Everything is checked against the file's end, and nothing is followed twice.
 * Source: HDF5 File Format Specification 3.0.
 */
import { FormatError } from './errors.js'
import { show } from './strict-json.js'

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
/** An address that stands for "nowhere". */
const UNDEFINED = 0xffff_ffff_ffff_ffffn

/** Reads little-endian values from a part of the file. */
export class Cursor {
  readonly #view: DataView

  constructor(
    readonly bytes: Uint8Array,
    public position: number,
    readonly end: number,
    readonly source: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  fail(what: string): never {
    throw new FormatError(`${this.source}: HDF5, byte ${this.position}: ${what}`)
  }

  #take(count: number): number {
    const start = this.position
    if (count > this.end - start) this.fail(`${count} bytes should follow, there are ${this.end - start}`)
    this.position += count
    return start
  }

  u8 = (): number => this.#view.getUint8(this.#take(1))
  u16 = (): number => this.#view.getUint16(this.#take(2), true)
  u32 = (): number => this.#view.getUint32(this.#take(4), true)

  /** A length or an address, as far as numbers are exact. */
  u64(): number {
    const value = this.#view.getBigUint64(this.#take(8), true)
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? this.fail(`${value} is no size or place in a file`) : Number(value)
  }

  /** An address; undefined where it stands for nowhere. */
  address(): number | undefined {
    const value = this.#view.getBigUint64(this.#take(8), true)
    if (value === UNDEFINED) return undefined
    if (value > BigInt(this.bytes.length)) this.fail(`the address ${value} is past the end (${this.bytes.length})`)
    return Number(value)
  }

  /** An unsigned value of 1, 2, 4 or 8 bytes. */
  sized(width: number): number {
    if (width === 1) return this.u8()
    if (width === 2) return this.u16()
    return width === 4 ? this.u32() : this.u64()
  }

  take(count: number): Uint8Array {
    const start = this.#take(count)
    return this.bytes.subarray(start, start + count)
  }

  skip(count: number): void {
    this.#take(count)
  }

  /** Moves on to a multiple of 8 bytes from `from`. */
  align(from: number): void {
    this.skip((8 - ((this.position - from) % 8)) % 8)
  }

  signature(expected: string): void {
    const found = new TextDecoder('latin1').decode(this.take(expected.length))
    if (found !== expected) this.fail(`expected ${show(expected)}, found ${show(found)}`)
  }

  /** A part of the file from `start` on. */
  at(start: number, length = this.bytes.length - start): Cursor {
    if (start + length > this.bytes.length) this.fail(`a part of ${length} bytes at ${start} passes the end`)
    return new Cursor(this.bytes, start, start + length, this.source)
  }
}

/** One message of an object header. */
export interface Message {
  readonly type: number
  readonly flags: number
  readonly body: Cursor
}

const CONTINUATION = 0x10
/** A message takes 4 bytes at least, so this is more than any header of a sound file has. */
const MAX_MESSAGES = 65_536

/** Messages of the object whose header is at `address`, version 1 or 2. */
export function objectMessages(file: Cursor, address: number): Message[] {
  const isSecond = file.at(address).sized(4) === 0x5244484f // "OHDR"
  return isSecond ? secondHeader(file, address) : firstHeader(file, address)
}

interface Block {
  readonly start: number
  readonly length: number
}

/** Reads blocks of messages, those that continuations name after the first; `open` gives the messages' part of a continuation. */
function readBlocks(
  file: Cursor,
  first: Cursor,
  next: (block: Cursor) => Message | null,
  open: (block: Block) => Cursor,
): Message[] {
  const messages: Message[] = []
  const blocks: Cursor[] = [first]
  const seen = new Set<number>()
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    if (seen.has(block.position)) file.fail(`the header continues at byte ${block.position} twice`)
    seen.add(block.position)
    for (let message = next(block); message; message = next(block)) {
      if (messages.length >= MAX_MESSAGES) file.fail(`a header of more than ${MAX_MESSAGES} messages`)
      messages.push(message)
      if (message.type !== CONTINUATION) continue
      const start = message.body.address()
      if (start !== undefined) blocks.push(open({ start, length: message.body.u64() }))
    }
  }
  return messages
}

function firstHeader(file: Cursor, address: number): Message[] {
  const head = file.at(address)
  const version = head.u8()
  if (version !== 1) head.fail(`expected an object header of version 1 or 2, got ${version}`)
  head.skip(1)
  let left = head.u16()
  head.skip(4)
  const length = head.u32()
  const next = (block: Cursor): Message | null => {
    if (left <= 0 || block.end - block.position < 8) return null
    left--
    const [type, size, flags] = [block.u16(), block.u16(), block.u8()]
    block.skip(3)
    const body = block.at(block.position, Math.min(size, block.end - block.position))
    block.skip(size)
    return { type, flags, body }
  }
  return readBlocks(file, file.at(address + 16, length), next, ({ start, length: size }) => file.at(start, size))
}

const CHECKSUM_BYTES = 4

function secondHeader(file: Cursor, address: number): Message[] {
  const head = file.at(address)
  head.signature('OHDR')
  if (head.u8() !== 2) head.fail('expected an object header of version 2')
  const flags = head.u8()
  if (flags & 0x20) head.skip(16) // times
  if (flags & 0x10) head.skip(4)
  const length = head.sized(1 << (flags & 3))
  const ordered = (flags & 4) !== 0
  const next = (block: Cursor): Message | null => {
    // What is shorter than a message is a gap.
    if (block.end - block.position < (ordered ? 6 : 4)) return null
    const [type, size, messageFlags] = [block.u8(), block.u16(), block.u8()]
    if (ordered) block.skip(2)
    const body = block.at(block.position, Math.min(size, block.end - block.position))
    block.skip(size)
    return { type, flags: messageFlags, body }
  }
  return readBlocks(file, file.at(head.position, length), next, ({ start, length: size }) => {
    const block = file.at(start, Math.max(0, size - CHECKSUM_BYTES))
    block.signature('OCHK')
    return block
  })
}

/** Address of the root group's header. @throws FormatError where the bytes are no HDF5 file */
export function rootAddress(file: Cursor): number {
  const start = findSignature(file)
  const head = file.at(start + SIGNATURE.length)
  const version = head.u8()
  if (version > 3) head.fail(`expected a superblock of version 0 to 3, got ${version}`)
  if (version < 2) head.skip(4)
  const [offsets, lengths] = [head.u8(), head.u8()]
  if (offsets !== 8 || lengths !== 8)
    head.fail(`expected addresses and lengths of 8 bytes, got ${offsets} and ${lengths}`)
  if (version < 2) head.skip(version === 0 ? 9 : 13)
  else head.skip(1)
  if (head.u64() !== 0) head.fail('files with a base address are not read')
  head.skip(16) // free space or extension, end of file
  if (version < 2) head.skip(16) // driver, name of the root
  const address = head.address()
  return address ?? head.fail('the file has no root group')
}

/** The superblock is at byte 0, 512, 1024, 2048, ... */
function findSignature(file: Cursor): number {
  for (let start = 0; start + SIGNATURE.length <= file.bytes.length; start = start === 0 ? 512 : start * 2) {
    if (SIGNATURE.every((byte, i) => file.bytes[start + i] === byte)) return start
  }
  throw new FormatError(`${file.source}: not an HDF5 file: its signature is missing`)
}

/** A member of a group. */
export interface Link {
  readonly name: string
  readonly address: number
}

const MESSAGE = { linkInfo: 0x02, link: 0x06, symbolTable: 0x11 } as const

/** Hard links of a group; undefined for objects that are no groups. Links to other places and files are passed over. */
export function groupLinks(file: Cursor, messages: readonly Message[]): Link[] | undefined {
  const table = messages.find(({ type }) => type === MESSAGE.symbolTable)
  if (table) return symbolTable(file, table.body)
  const info = messages.find(({ type }) => type === MESSAGE.linkInfo)
  const links = messages.filter(({ type }) => type === MESSAGE.link)
  if (!info && links.length === 0) return undefined
  if (info) refuseDense(info.body)
  return links.flatMap(({ body }) => linkOf(body))
}

/** Groups with many members may keep them in a heap of another kind, which only newer format versions write. */
function refuseDense(body: Cursor): void {
  body.skip(1)
  if (body.u8() & 1) body.skip(8)
  if (body.address() !== undefined)
    body.fail('a group in the dense form of newer HDF5 versions: save the file with default settings')
}

function linkOf(body: Cursor): Link[] {
  if (body.u8() !== 1) body.fail('expected a link of version 1')
  const flags = body.u8()
  const kind = flags & 8 ? body.u8() : 0
  if (flags & 4) body.skip(8)
  if (flags & 0x10) body.skip(1)
  const name = text(body.take(body.sized(1 << (flags & 3))))
  const address = kind === 0 ? body.address() : undefined
  return address === undefined ? [] : [{ name, address }]
}

const MAX_NAME_BYTES = 4096

export const text = (bytes: Uint8Array): string => {
  const zero = bytes.indexOf(0)
  return new TextDecoder().decode(zero < 0 ? bytes : bytes.subarray(0, zero))
}

function symbolTable(file: Cursor, body: Cursor): Link[] {
  const [tree, heapAddress] = [body.address(), body.address()]
  if (tree === undefined || heapAddress === undefined) return []
  const heap = file.at(heapAddress)
  heap.signature('HEAP')
  heap.skip(4)
  const size = heap.u64()
  heap.skip(8)
  const names = file.at(heap.address() ?? heap.fail('a heap without data'), size)
  const links: Link[] = []
  for (const { child } of treeLeaves(file, tree, 0, () => undefined)) {
    const node = file.at(child)
    node.signature('SNOD')
    node.skip(2)
    for (let left = node.u16(); left > 0; left--) {
      const nameAt = node.u64()
      const address = node.address()
      const cache = node.u32()
      node.skip(20)
      if (nameAt > size) node.fail(`a name at ${nameAt} of a heap of ${size} bytes`)
      if (cache === 2 || address === undefined) continue
      const start = names.position + nameAt
      const name = names.bytes.subarray(start, Math.min(names.end, start + MAX_NAME_BYTES))
      if (!name.includes(0)) node.fail(`a name of more than ${name.length} bytes`)
      links.push({ name: text(name), address })
    }
  }
  return links
}

const MAX_TREE_DEPTH = 16

/** Leaves of a tree (version 1) of `type`; `key` reads what stands before each child. */
export function treeLeaves<K>(
  file: Cursor,
  root: number,
  type: 0 | 1,
  key: (node: Cursor) => K,
): { readonly key: K; readonly child: number }[] {
  const leaves: { key: K; child: number }[] = []
  const seen = new Set<number>()
  const visit = (address: number, above: number): void => {
    if (seen.has(address)) file.fail(`the tree holds the node at byte ${address} twice`)
    seen.add(address)
    const node = file.at(address)
    node.signature('TREE')
    const [found, level] = [node.u8(), node.u8()]
    if (found !== type || level >= above)
      node.fail(`expected a tree of type ${type} and depth below ${above}, got ${found}, ${level}`)
    let left = node.u16()
    node.skip(16)
    for (; left > 0; left--) {
      if (type === 0) node.skip(8)
      const read = key(node)
      const child = node.address()
      if (child === undefined) continue
      if (level > 0) visit(child, level)
      else leaves.push({ key: read, child })
    }
  }
  visit(root, MAX_TREE_DEPTH)
  return leaves
}
