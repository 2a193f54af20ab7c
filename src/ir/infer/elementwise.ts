import type { OpAttrs, ShapeDType } from '../attrs.js'
import { type DType, dtypeBytes, dtypeKind } from '../dtype.js'
import { shapeError } from '../errors.js'
import { sameShape } from '../shape.js'

type Kinds = readonly ('float' | 'int' | 'bool')[]

function requireKind(op: string, inputs: readonly ShapeDType[], kinds: Kinds): void {
  for (const input of inputs) {
    if (!kinds.includes(dtypeKind(input.dtype))) {
      throw shapeError(
        op,
        inputs,
        `expects ${kinds.join(' or ')} operands, got ${input.dtype}; convert with .to(dtype)`,
      )
    }
  }
}

function requireSame(op: string, inputs: readonly ShapeDType[]): void {
  const [first, ...rest] = inputs
  for (const input of rest) {
    if (input.dtype !== first.dtype)
      throw shapeError(op, inputs, 'operands must have one dtype; convert with .to(dtype)')
    if (!sameShape(input.shape, first.shape))
      throw shapeError(op, inputs, 'operands must have one shape; broadcast first')
  }
}

export const unary =
  (kinds: Kinds) =>
  (op: string, inputs: readonly ShapeDType[]): ShapeDType => {
    requireKind(op, inputs, kinds)
    return inputs[0]
  }

export const binary =
  (kinds: Kinds) =>
  (op: string, inputs: readonly ShapeDType[]): ShapeDType => {
    requireKind(op, inputs, kinds)
    requireSame(op, inputs)
    return inputs[0]
  }

export function compare(op: string, inputs: readonly ShapeDType[]): ShapeDType {
  requireSame(op, inputs)
  return { shape: inputs[0].shape, dtype: 'bool' }
}

export function select(op: string, inputs: readonly ShapeDType[]): ShapeDType {
  const [predicate, onTrue, onFalse] = inputs
  if (predicate.dtype !== 'bool')
    throw shapeError(op, inputs, 'the predicate must be bool; compare first, e.g. x.ne(0)')
  if (!sameShape(predicate.shape, onTrue.shape))
    throw shapeError(op, inputs, 'the predicate must have the shape of the cases')
  requireSame(op, [onTrue, onFalse])
  return onTrue
}

export const convert = (_op: string, inputs: readonly ShapeDType[], attrs: { dtype: DType }): ShapeDType => ({
  shape: inputs[0].shape,
  dtype: attrs.dtype,
})

export function bitcast(op: string, inputs: readonly ShapeDType[], attrs: OpAttrs['bitcast_convert']): ShapeDType {
  if (dtypeBytes(inputs[0].dtype) !== dtypeBytes(attrs.dtype)) {
    throw shapeError(op, inputs, `cannot reinterpret as ${attrs.dtype}: element sizes differ`)
  }
  return { shape: inputs[0].shape, dtype: attrs.dtype }
}
