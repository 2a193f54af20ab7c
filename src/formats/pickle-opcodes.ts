/** Python's pickle opcodes, protocols 0 to 5, as a table. Source: Python's `pickletools`. */
import type { PickleMachine, PickleValue } from './pickle.js'

interface Opcode {
  readonly name: string
  run(machine: PickleMachine): void
}

const refuse = (what: string) => (machine: PickleMachine) => machine.fail(`${what} are not read`)

function global(machine: PickleMachine, module: string, name: string): void {
  machine.push(machine.host.global(`${module}.${name}`, machine.where))
}

function call(machine: PickleMachine, callee: PickleValue, args: readonly PickleValue[]): void {
  machine.pushContainer(machine.host.call(callee, args, machine.where))
}

/** The string literal of protocol 0: quotes, and the escapes of `repr`. */
function quoted(machine: PickleMachine): string {
  const text = machine.line()
  const inner = /^(['"])(.*)\1$/s.exec(text)?.[2]
  if (inner === undefined) machine.fail(`expected text in quotes, got ${JSON.stringify(text.slice(0, 60))}`)
  const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
  return inner.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (letters[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

const rawUnicode = (text: string): string =>
  text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (all, short: string | undefined, long: string) => {
    const point = Number.parseInt(short ?? long, 16)
    return point <= 0x10ffff ? String.fromCodePoint(point) : all
  })

function floatLine(machine: PickleMachine): number {
  const text = machine.line().trim()
  const named: Readonly<Record<string, number>> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity }
  if (Object.hasOwn(named, text)) return named[text]
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    machine.fail(`expected a number, got ${JSON.stringify(text.slice(0, 60))}`)
  }
  return Number(text)
}

function intLine(machine: PickleMachine): PickleValue {
  const text = machine.line()
  if (text === '01') return true
  return text === '00' ? false : machine.decimal(text)
}

function lines(machine: PickleMachine): void {
  const module = machine.line()
  global(machine, module, machine.line())
}

function stackGlobal(machine: PickleMachine): void {
  const name = machine.string(machine.pop())
  global(machine, machine.string(machine.pop()), name)
}

function instance(machine: PickleMachine): void {
  const module = machine.line()
  const name = machine.line()
  call(machine, machine.host.global(`${module}.${name}`, machine.where), machine.popMark())
}

function object(machine: PickleMachine): void {
  const [callee, ...args] = machine.popMark()
  if (callee === undefined) machine.fail('expected a class above the mark')
  call(machine, callee, args)
}

function reduce(machine: PickleMachine): void {
  const args = machine.list(machine.pop())
  call(machine, machine.pop(), args)
}

function newObjectWithNames(machine: PickleMachine): void {
  const names = machine.dictionary(machine.pop())
  if (names.size > 0) machine.fail('expected a class without keyword arguments')
  reduce(machine)
}

function build(machine: PickleMachine): void {
  const state = machine.pop()
  machine.host.build(machine.top(), state, machine.where)
}

function append(machine: PickleMachine, items: readonly PickleValue[]): void {
  const list = machine.list(machine.top())
  for (const item of items) list.push(item)
}

function addItems(machine: PickleMachine): void {
  const items = machine.popMark()
  const set = machine.top()
  if (!(set instanceof Set)) machine.fail('expected a set')
  for (const item of items) set.add(item)
}

function dictionary(machine: PickleMachine): void {
  const items = machine.popMark()
  const map = new Map<PickleValue, PickleValue>()
  machine.setItems(map, items)
  machine.pushContainer(map)
}

function setItem(machine: PickleMachine): void {
  const value = machine.pop()
  const key = machine.pop()
  machine.setItems(machine.top(), [key, value])
}

function setItems(machine: PickleMachine): void {
  const items = machine.popMark()
  machine.setItems(machine.top(), items)
}

function tuple(count: number) {
  return (machine: PickleMachine): void => {
    const items: PickleValue[] = []
    for (let i = 0; i < count; i++) items.unshift(machine.pop())
    machine.pushContainer(items)
  }
}

const protocol = (machine: PickleMachine): void => {
  const version = machine.u8()
  if (version > 5) machine.fail(`expected pickle protocol 0 to 5, got ${version}`)
}

const TABLE: readonly (readonly [code: string | number, name: string, run: Opcode['run']])[] = [
  ['(', 'MARK', (m) => m.mark()],
  ['.', 'STOP', () => undefined],
  ['0', 'POP', (m) => m.drop()],
  ['1', 'POP_MARK', (m) => void m.popMark()],
  ['2', 'DUP', (m) => m.push(m.top())],
  ['F', 'FLOAT', (m) => m.push(floatLine(m))],
  ['I', 'INT', (m) => m.push(intLine(m))],
  ['J', 'BININT', (m) => m.push(m.i32())],
  ['K', 'BININT1', (m) => m.push(m.u8())],
  ['L', 'LONG', (m) => m.push(m.decimal(m.line()))],
  ['M', 'BININT2', (m) => m.push(m.u16())],
  ['N', 'NONE', (m) => m.push(null)],
  ['P', 'PERSID', (m) => m.push(m.host.persistent(m.line(), m.where))],
  ['Q', 'BINPERSID', (m) => m.push(m.host.persistent(m.pop(), m.where))],
  ['R', 'REDUCE', reduce],
  ['S', 'STRING', (m) => m.push(quoted(m))],
  ['T', 'BINSTRING', (m) => m.push(m.text(m.u32()))],
  ['U', 'SHORT_BINSTRING', (m) => m.push(m.text(m.u8()))],
  ['V', 'UNICODE', (m) => m.push(rawUnicode(m.line()))],
  ['X', 'BINUNICODE', (m) => m.push(m.text(m.u32()))],
  ['a', 'APPEND', (m) => append(m, [m.pop()])],
  ['b', 'BUILD', build],
  ['c', 'GLOBAL', lines],
  ['d', 'DICT', dictionary],
  ['}', 'EMPTY_DICT', (m) => m.pushContainer(new Map())],
  ['e', 'APPENDS', (m) => append(m, m.popMark())],
  ['g', 'GET', (m) => m.recall(Number(m.decimal(m.line())))],
  ['h', 'BINGET', (m) => m.recall(m.u8())],
  ['i', 'INST', instance],
  ['j', 'LONG_BINGET', (m) => m.recall(m.u32())],
  ['l', 'LIST', (m) => m.pushContainer(m.popMark())],
  [']', 'EMPTY_LIST', (m) => m.pushContainer([])],
  ['o', 'OBJ', object],
  ['p', 'PUT', (m) => m.remember(Number(m.decimal(m.line())))],
  ['q', 'BINPUT', (m) => m.remember(m.u8())],
  ['r', 'LONG_BINPUT', (m) => m.remember(m.u32())],
  ['s', 'SETITEM', setItem],
  ['t', 'TUPLE', (m) => m.pushContainer(m.popMark())],
  [')', 'EMPTY_TUPLE', (m) => m.pushContainer([])],
  ['u', 'SETITEMS', setItems],
  ['G', 'BINFLOAT', (m) => m.push(m.f64())],
  ['B', 'BINBYTES', (m) => m.push(new Uint8Array(m.take(m.u32())))],
  ['C', 'SHORT_BINBYTES', (m) => m.push(new Uint8Array(m.take(m.u8())))],
  [0x80, 'PROTO', protocol],
  [0x81, 'NEWOBJ', reduce],
  [0x82, 'EXT1', refuse('names from an extension registry')],
  [0x83, 'EXT2', refuse('names from an extension registry')],
  [0x84, 'EXT4', refuse('names from an extension registry')],
  [0x85, 'TUPLE1', tuple(1)],
  [0x86, 'TUPLE2', tuple(2)],
  [0x87, 'TUPLE3', tuple(3)],
  [0x88, 'NEWTRUE', (m) => m.push(true)],
  [0x89, 'NEWFALSE', (m) => m.push(false)],
  [0x8a, 'LONG1', (m) => m.push(m.integer(m.u8()))],
  [0x8b, 'LONG4', (m) => m.push(m.integer(m.u32()))],
  [0x8c, 'SHORT_BINUNICODE', (m) => m.push(m.text(m.u8()))],
  [0x8d, 'BINUNICODE8', (m) => m.push(m.text(m.u64()))],
  [0x8e, 'BINBYTES8', (m) => m.push(new Uint8Array(m.take(m.u64())))],
  [0x8f, 'EMPTY_SET', (m) => m.pushContainer(new Set())],
  [0x90, 'ADDITEMS', addItems],
  [0x91, 'FROZENSET', (m) => m.pushContainer(new Set(m.popMark()))],
  [0x92, 'NEWOBJ_EX', newObjectWithNames],
  [0x93, 'STACK_GLOBAL', stackGlobal],
  [0x94, 'MEMOIZE', (m) => m.remember(m.memo.size)],
  // A frame only groups opcodes for reading ahead: its length is of no use here.
  [0x95, 'FRAME', (m) => void m.take(8)],
  [0x96, 'BYTEARRAY8', (m) => m.push(new Uint8Array(m.take(m.u64())))],
  [0x97, 'NEXT_BUFFER', refuse('buffers outside the pickle')],
  [0x98, 'READONLY_BUFFER', refuse('buffers outside the pickle')],
]

export const OPCODES: ReadonlyMap<number, Opcode> = new Map(
  TABLE.map(([code, name, run]) => [typeof code === 'number' ? code : code.charCodeAt(0), { name, run }]),
)
