import type { CompareDirection, DType, Node, OpName } from '../../ir/index.js'
import { isOp } from '../../ir/index.js'
import { functionOf } from '../../passes/functions.js'

/** How a register holds a value: f16 and bf16 as f32, narrow integers and bool as i32. */
export type RegisterClass = 'f32' | 'f64' | 'i32' | 'u32' | 'i64'

const CLASS: { readonly [D in DType]: RegisterClass } = {
  f32: 'f32',
  f64: 'f64',
  f16: 'f32',
  bf16: 'f32',
  i8: 'i32',
  i16: 'i32',
  u8: 'i32',
  i32: 'i32',
  u32: 'u32',
  i64: 'i64',
  bool: 'i32',
}

export const registerClass = (dtype: DType): RegisterClass => CLASS[dtype]
export const isWide = (dtype: DType): boolean => CLASS[dtype] === 'f64' || CLASS[dtype] === 'i64'

/** Brings a result computed in the register's class back to what the dtype can hold. */
const NARROW: { readonly [D in DType]: readonly string[] } = {
  f32: [],
  f64: [],
  f16: ['round.f16'],
  bf16: ['round.bf16'],
  i8: ['wrap.i8'],
  i16: ['wrap.i16'],
  u8: ['wrap.u8'],
  i32: [],
  u32: [],
  i64: [],
  bool: [],
}

/** Ops whose result needs no narrowing: operands in range give results in range. */
const EXACT = new Set<OpName>([
  'sign',
  'floor',
  'ceil',
  'round_nearest_even',
  'maximum',
  'minimum',
  'and',
  'or',
  'xor',
  'compare',
  'select',
])

const DIRECTION: { readonly [D in CompareDirection]: string } = {
  EQ: 'eq',
  NE: 'ne',
  LT: 'lt',
  LE: 'le',
  GT: 'gt',
  GE: 'ge',
}

/** Opcodes that replace a chain: each takes the result of the one before; the first takes the op's operands. */
export interface OpcodeChain {
  /** Applied to the first operand before the op. */
  readonly before?: readonly string[]
  readonly chain: readonly string[]
}

const FROM_INT_BITS: { readonly [D in DType]?: string } = { f16: 'from_bits.f16', bf16: 'from_bits.bf16' }
const TO_INT_BITS: { readonly [D in DType]?: string } = { f16: 'bits.f16', bf16: 'bits.bf16' }

function convertChain(from: DType, to: DType): string[] {
  if (from === to) return []
  const source = CLASS[from]
  const target = CLASS[to]
  if (to === 'bool') return [`nonzero.${source}`]
  if (target === 'f32') return [...(source === 'f32' ? [] : [`convert.${source}.f32`]), ...NARROW[to]]
  if (target === 'f64') return [`convert.${source}.f64`]
  if (source === 'f32' || source === 'f64') return [`convert.${source}.${to}`]
  if (target === 'i64') return [`convert.${source}.i64`]
  return [...(source === 'i64' ? ['convert.i64.i32'] : []), ...NARROW[to]]
}

function bitcastChain(from: DType, to: DType): string[] {
  if (from === to) return []
  if (to === 'bool') return ['nonzero.i32']
  const out = TO_INT_BITS[from]
  const back = FROM_INT_BITS[to]
  if (out || back) return [...(out ? [out] : []), ...(back ? [back] : [])]
  return CLASS[to] === 'i32' ? [...NARROW[to]] : []
}

/** Narrow integers shift as their own width says: the first operand is read as unsigned, or as signed. */
function shiftChain(op: OpName, dtype: DType): OpcodeChain | null {
  if (op === 'shift_right_logical' && (dtype === 'i8' || dtype === 'i16')) {
    return { before: [dtype === 'i8' ? 'wrap.u8' : 'wrap.u16'], chain: [`${op}.i32`, ...NARROW[dtype]] }
  }
  if (op === 'shift_right_arithmetic' && dtype === 'u8') {
    return { before: ['wrap.i8'], chain: [`${op}.i32`, ...NARROW[dtype]] }
  }
  return null
}

const PAIR_FIRST = new Set<OpName>(['add', 'subtract', 'multiply', 'maximum', 'minimum'])
const PAIR_SECOND = PAIR_FIRST

/** True for an f32 op that one pass can compute together with the op that reads it. */
export const opensPair = (node: Node): boolean => PAIR_FIRST.has(node.op) && node.outputs[0].dtype === 'f32'

/** The opcode of `second` over the result of `first`, which stands at operand `at`; null where there is none. */
export function pairOpcode(first: Node, second: Node, at: number): string | null {
  if (!opensPair(first) || !PAIR_SECOND.has(second.op)) return null
  return `${first.op}+${second.op === 'subtract' && at === 1 ? 'subtract_from' : second.op}.f32`
}

/** The opcodes that compute an elementwise node. An empty chain hands the operand's register on. */
export function opcodesOf(node: Node): OpcodeChain {
  const dtype = node.inputs[0].dtype
  const composed = functionOf(node)
  if (composed) return { chain: [`${composed}.${CLASS[dtype]}`] }
  if (isOp(node, 'convert')) return { chain: convertChain(dtype, node.attrs.dtype) }
  if (isOp(node, 'bitcast_convert')) return { chain: bitcastChain(dtype, node.attrs.dtype) }
  if (isOp(node, 'compare')) return { chain: [`${DIRECTION[node.attrs.direction]}.${CLASS[dtype]}`] }
  if (isOp(node, 'select')) return { chain: [`select.${CLASS[node.outputs[0].dtype]}`] }
  if (isOp(node, 'not') && dtype === 'bool') return { chain: ['not.bool'] }
  const float = CLASS[dtype] === 'f32' || CLASS[dtype] === 'f64'
  const exact = EXACT.has(node.op) || (float && (node.op === 'negate' || node.op === 'abs'))
  return shiftChain(node.op, dtype) ?? { chain: [`${node.op}.${CLASS[dtype]}`, ...(exact ? [] : NARROW[dtype])] }
}
