import {
  apply,
  DTYPES,
  type DType,
  isFloat,
  type OpAttrs,
  type OpName,
  type Shape,
  type Value,
} from '../../ir/index.js'
import type { InputSpec } from './data.js'
import type { Accuracy } from './tolerance.js'

/** One case before its graph is made. */
export interface Draft {
  /** What tells it from other cases of the same op. */
  readonly label: string
  readonly inputs: readonly InputSpec[]
  readonly build: (params: readonly Value[]) => readonly Value[]
  readonly accuracy: Accuracy
  /** Checks the gradient graph, too (f32). False where the values lie on edges or grow too large. */
  readonly gradient?: boolean
  /** The run must fail with a message like this. */
  readonly fails?: RegExp
}

export type Drafts = Iterable<Draft>

export const FLOATS: readonly DType[] = DTYPES.filter(isFloat)
export const INTEGERS: readonly DType[] = ['i8', 'i16', 'u8', 'i32', 'u32', 'i64']
export const ALL: readonly DType[] = DTYPES

/** Sizes around nothing, one, and the edges of vectors and tiles. */
export const SHAPES: readonly Shape[] = [[], [0], [1], [7], [33], [2, 0, 3], [3, 5], [4, 129], [2, 3, 1, 17], [1031]]

export const op = <K extends OpName>(name: K, inputs: readonly Value[], attrs: OpAttrs[K]): Value =>
  apply(name, inputs, attrs)

export const shapeLabel = (shape: Shape): string => `[${shape.join('x')}]`

/** Rounding of single operations: exact in the dtype for the basic ones, some units for the transcendental ones. */
export const within = (ulps: number, scale = 0): Accuracy => ({ ulps, scale })

/** Sums of `terms` products of numbers about 1: rounding grows with the root of their number. */
export const summed = (terms: number): Accuracy => ({ ulps: 4, scale: 1 + 2 * Math.sqrt(terms) })
