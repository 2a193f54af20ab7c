import {
  type AttrValue,
  apply,
  broadcastInDim,
  type CompareDirection,
  type DType,
  Graph,
  makeNode,
  type OpName,
  parameter,
  type ReduceKind,
  type Shape,
  sameShape,
  splat,
  type Value,
} from '../ir/index.js'

/** Short names for the IR that gradient rules emit. Operands have one shape and dtype, as in the IR. */

type UnaryOp = Extract<
  OpName,
  | 'negate'
  | 'abs'
  | 'sign'
  | 'floor'
  | 'ceil'
  | 'exponential'
  | 'log'
  | 'log_plus_one'
  | 'sqrt'
  | 'sine'
  | 'cosine'
  | 'digamma'
>

export const unary = (op: UnaryOp, x: Value): Value => apply(op, [x], {})
export const add = (a: Value, b: Value): Value => apply('add', [a, b], {})
export const subtract = (a: Value, b: Value): Value => apply('subtract', [a, b], {})
export const multiply = (a: Value, b: Value): Value => apply('multiply', [a, b], {})
export const divide = (a: Value, b: Value): Value => apply('divide', [a, b], {})
export const power = (a: Value, b: Value): Value => apply('power', [a, b], {})
export const negate = (x: Value): Value => apply('negate', [x], {})
export const compare = (direction: CompareDirection, a: Value, b: Value): Value =>
  apply('compare', [a, b], { direction })
export const both = (a: Value, b: Value): Value => apply('and', [a, b], {})
export const select = (predicate: Value, a: Value, b: Value): Value => apply('select', [predicate, a, b], {})
export const convert = (x: Value, dtype: DType): Value => (x.dtype === dtype ? x : apply('convert', [x], { dtype }))
export const reshape = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : apply('reshape', [x], { shape })

/** A constant with the shape and dtype of `x`. */
export const like = (x: Value, value: number): Value => splat(value, x.shape, x.dtype)
export const zeros = (x: Value): Value => like(x, 0)
export const scale = (x: Value, factor: number): Value => multiply(x, like(x, factor))
export const square = (x: Value): Value => multiply(x, x)

export function transpose(x: Value, permutation: readonly number[]): Value {
  return permutation.every((dim, i) => dim === i) ? x : apply('transpose', [x], { permutation })
}

/** The permutation that undoes `permutation`. */
export const inversePermutation = (permutation: readonly number[]): number[] =>
  permutation.map((_, dim) => permutation.indexOf(dim))

export const reduce = (kind: ReduceKind, x: Value, dimensions: readonly number[]): Value =>
  dimensions.length === 0 && kind !== 'argmax' && kind !== 'argmin' ? x : apply('reduce', [x], { kind, dimensions })

export const sumAll = (x: Value): Value =>
  reduce(
    'sum',
    x,
    x.shape.map((_, dim) => dim),
  )

/** Spreads a reduced value back over the dimensions that the reduction removed. */
export const unreduce = (x: Value, shape: Shape, dimensions: readonly number[]): Value =>
  broadcastInDim(
    x,
    shape,
    shape.map((_, dim) => dim).filter((dim) => !dimensions.includes(dim)),
  )

/** Pads with zeros. */
export const padZeros = (
  x: Value,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[],
): Value => apply('pad', [x, splat(0, [], x.dtype)], { low, high, interior })

export const sum = (values: readonly Value[]): Value => values.reduce(add)

/**
 * A composite: one node that a backend may run by a kernel of that name, and any other by the body that `build` emits.
 */
export function composite(
  name: string,
  attributes: Readonly<Record<string, AttrValue>>,
  inputs: readonly Value[],
  build: (...params: Value[]) => readonly Value[],
): readonly Value[] {
  const params = inputs.map((input) => parameter(input.shape, input.dtype))
  const body = new Graph(params, build(...params))
  return makeNode('composite', inputs, { name, attributes, body }).outputs
}
