import type { OpAttrs, OpName } from './attrs.js'
import { allocateArray, type DType, type TypedArray } from './dtype.js'
import { shapeError } from './errors.js'
import { toBf16, toF16 } from './half.js'
import { Node, type Value } from './node.js'
import { OPS, type OpRule } from './ops.js'
import type { Shape } from './shape.js'

/**
 * Applies an op: infers shapes and dtypes and checks the operands.
 * @throws ShapeError naming the op, its operands and what it expects.
 */
export function makeNode<K extends OpName>(op: K, inputs: readonly Value[], attrs: OpAttrs[K]): Node {
  const rule = OPS[op] as OpRule<K>
  if (rule.arity !== null && inputs.length !== rule.arity)
    throw shapeError(op, inputs, `takes ${rule.arity} operand(s), got ${inputs.length}`)
  const inferred = rule.infer(op, inputs, attrs)
  return new Node<K>(op, inputs, attrs, Array.isArray(inferred) ? inferred : [inferred]) as unknown as Node
}

/** {@link makeNode} for ops of one result. */
export function apply<K extends OpName>(op: K, inputs: readonly Value[], attrs: OpAttrs[K]): Value {
  return makeNode(op, inputs, attrs).outputs[0]
}

/** A storage array of one element holding `value` in `dtype`; integers are truncated and wrapped. */
export function scalarData(value: number | bigint, dtype: DType): TypedArray {
  const data = allocateArray(dtype, 1)
  if (data instanceof BigInt64Array)
    data[0] = typeof value === 'bigint' ? value : Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n
  else if (dtype === 'f16') data[0] = toF16(Number(value))
  else if (dtype === 'bf16') data[0] = toBf16(Number(value))
  else if (dtype === 'bool') data[0] = Number(value) !== 0 ? 1 : 0
  else data[0] = Number(value)
  return data
}

/** A constant filled with one value. */
export const splat = (value: number | bigint, shape: Shape, dtype: DType): Value =>
  apply('constant', [], { shape, dtype, data: scalarData(value, dtype) })

export const parameter = (shape: Shape, dtype: DType): Value => apply('parameter', [], { shape, dtype })

/** Spreads `x` over `shape`: dimension i of `x` becomes dimension `dims[i]`. Returns `x` itself where nothing changes. */
export function broadcastInDim(x: Value, shape: Shape, dims: readonly number[]): Value {
  if (x.shape.length === shape.length && dims.every((dim, i) => dim === i && shape[i] === x.shape[i])) return x
  return apply('broadcast_in_dim', [x], { shape, dims })
}

/** Spreads a scalar over `shape`. */
export const broadcastScalar = (x: Value, shape: Shape): Value => broadcastInDim(x, shape, [])
