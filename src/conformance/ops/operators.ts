import * as T from '../../tensor/index.js'
import type { BinaryOp, CompareOp, UnaryOp } from '../python/ast.js'
import { describe, ELLIPSIS, isSequence, itemsOf, type PyValue, SliceValue } from './values.js'

type Operand = T.Tensor | number | boolean

const UNARY: Readonly<Record<UnaryOp, (x: T.Tensor) => T.Tensor>> = {
  '-': T.neg,
  '+': (x) => x,
  '~': T.bitwiseNot,
}

const BINARY: Readonly<Record<BinaryOp | CompareOp, (x: Operand, y: Operand) => T.Tensor>> = {
  '+': T.add,
  '-': T.sub,
  '*': T.mul,
  '/': T.div,
  '//': T.floorDivide,
  '%': T.remainder,
  '**': T.pow,
  '@': T.matmul,
  '<<': T.leftShift,
  '>>': T.rightShift,
  '&': T.bitwiseAnd,
  '|': T.bitwiseOr,
  '^': T.bitwiseXor,
  '<': T.lt,
  '>': T.gt,
  '<=': T.le,
  '>=': T.ge,
  '==': T.eq,
  '!=': T.ne,
}

function operand(op: string, value: PyValue): Operand {
  if (value instanceof T.Tensor || typeof value === 'number' || typeof value === 'boolean') return value
  throw new TypeError(`${op} takes tensors and numbers, got ${describe(value)}`)
}

export const unaryOperator = (op: UnaryOp, x: T.Tensor): T.Tensor => UNARY[op](x)

export const binaryOperator = (op: BinaryOp | CompareOp, left: PyValue, right: PyValue): T.Tensor =>
  BINARY[op](operand(op, left), operand(op, right))

function indexItem(item: PyValue): T.Index {
  if (item === ELLIPSIS) return '...'
  if (item instanceof SliceValue) return [item.start, item.stop, item.step]
  if (item === null || typeof item === 'number' || item instanceof T.Tensor) return item
  if (isSequence(item)) return T.tensor(itemsOf(item) as readonly number[], { dtype: 'i64' })
  throw new TypeError(`an index is made of integers, slices, None, ... and tensors, got ${describe(item)}`)
}

/** x[items]. Masks are read first, since they decide the shape of the result. */
export async function indexTensor(receiver: T.Tensor, items: readonly PyValue[]): Promise<T.Tensor> {
  const indices = items.map(indexItem)
  for (const index of indices) if (index instanceof T.Tensor && index.dtype === 'bool') await index.data()
  return T.at(receiver, ...indices)
}

/** Sum over all pairs of the inner product of an output with its cotangent: its gradients are the vector-Jacobian products. */
export const contraction = (pairs: readonly (readonly [output: T.Tensor, cotangent: T.Tensor])[]): T.Tensor =>
  pairs.map(([output, cotangent]) => T.sum(T.mul(output, cotangent))).reduce((a, b) => T.add(a, b))
