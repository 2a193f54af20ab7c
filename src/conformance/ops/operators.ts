import * as T from '../../tensor/index.js'
import type { BinaryOp, CompareOp, UnaryOp } from '../python/ast.js'
import { UnsupportedError } from '../unsupported.js'
import { describe, type PyValue } from './values.js'

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

export function indexTensor(_receiver: T.Tensor, _items: readonly PyValue[]): T.Tensor {
  throw new UnsupportedError('indexing')
}

/** Sum over all pairs of the inner product of an output with its cotangent: its gradients are the vector-Jacobian products. */
export const contraction = (pairs: readonly (readonly [output: T.Tensor, cotangent: T.Tensor])[]): T.Tensor =>
  pairs.map(([output, cotangent]) => T.sum(T.mul(output, cotangent))).reduce((a, b) => T.add(a, b))
