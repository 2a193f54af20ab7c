import './immutable.js'
import './methods.js'

export {
  DTYPES,
  type DType,
  finish,
  isFloat,
  isInteger,
  type Shape,
  ShapeError,
  type Steps,
  shapeText,
  sizeOf,
  type TypedArray,
} from '../ir/index.js'
export * from './broadcast.js'
export { checkpoint, composite, scan, whileLoop } from './control.js'
export { asTensor, constant, record, scalar, type TensorLike, type TensorOptions, tensor } from './core.js'
export type { Dims, IntList } from './dims.js'
export * from './grad.js'
export * from './jit.js'
export * from './ops/index.js'
export { Parameter } from './parameter.js'
export { align, cast, computeType, floatType, promote, promoteTypes, resultType, toFloat, widened } from './promote.js'
export { type RandomState, random, seed } from './random.js'
export { type DataArray, type NestedArray, Tensor } from './tensor.js'
export { flattenTree, isTensor, isTensorOrParameter, type TensorsOf } from './tree.js'
