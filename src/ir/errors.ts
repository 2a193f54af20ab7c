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
