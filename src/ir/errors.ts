import type { ShapeDType } from './attrs.js'
import { shapeText } from './shape.js'

export const avalText = (aval: ShapeDType): string => `${aval.dtype}${shapeText(aval.shape)}`

/** A graph that cannot be built: names the op, what it got and what it expects. */
export class ShapeError extends Error {
  override name = 'ShapeError'
}

export function shapeError(op: string, inputs: readonly ShapeDType[], message: string): ShapeError {
  return new ShapeError(`${op}(${inputs.map(avalText).join(', ')}): ${message}`)
}

/** An index operand that, at run time, points outside its tensor. */
export class IndexError extends RangeError {
  override name = 'IndexError'
}

/**
 * What every backend throws for an index out of bounds.
 * @param limit the first index that is too large
 */
export const indexError = (op: string, index: number, limit: number, dimension: number): IndexError =>
  new IndexError(`${op}: index ${index} for dimension ${dimension} of the operand is outside [0, ${limit})`)
