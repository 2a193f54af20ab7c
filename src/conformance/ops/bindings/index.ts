import type { DType } from '../../../ir/index.js'
import type { BindingTable } from '../signature.js'
import { DTypeValue, type PyValue } from '../values.js'
import { ATTENTION } from './attention.js'
import { BINARY } from './binary.js'
import { CREATE } from './create.js'
import { DETECTION } from './detection.js'
import { INDEX } from './index-ops.js'
import { LINALG } from './linalg.js'
import { LOSS } from './loss.js'
import { NORM } from './norm.js'
import { RECURRENT } from './recurrent.js'
import { REDUCE } from './reduce.js'
import { RESAMPLE } from './resample.js'
import { SHAPE } from './shape.js'
import { SORT } from './sort.js'
import { SPATIAL } from './spatial.js'
import { UNARY } from './unary.js'

/** Every function by dotted name; methods that are no functions stand under `Tensor.`. */
export const FUNCTIONS: BindingTable = new Map(
  [
    UNARY,
    BINARY,
    CREATE,
    SHAPE,
    INDEX,
    REDUCE,
    SORT,
    LINALG,
    SPATIAL,
    NORM,
    LOSS,
    ATTENTION,
    RECURRENT,
    RESAMPLE,
    DETECTION,
  ].flatMap((table) => [...table]),
)

const DTYPE_NAMES: Readonly<Record<string, DType>> = {
  float32: 'f32',
  float: 'f32',
  float64: 'f64',
  double: 'f64',
  float16: 'f16',
  half: 'f16',
  bfloat16: 'bf16',
  int8: 'i8',
  int16: 'i16',
  uint8: 'u8',
  int32: 'i32',
  int: 'i32',
  uint32: 'u32',
  int64: 'i64',
  long: 'i64',
  bool: 'bool',
}

/** Dotted names that are values. */
export const CONSTANTS: ReadonlyMap<string, PyValue> = new Map<string, PyValue>([
  ...Object.entries(DTYPE_NAMES).map(([name, dtype]): [string, PyValue] => [`torch.${name}`, new DTypeValue(dtype)]),
  ['torch.inf', Number.POSITIVE_INFINITY],
  ['torch.nan', Number.NaN],
  ['torch.pi', Math.PI],
])
