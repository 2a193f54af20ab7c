import { type DType, isFloat, isInteger, isSigned } from '../ir/index.js'
import { broadcastShapes, broadcastTo } from './broadcast.js'
import { asTensor, record, type TensorLike } from './core.js'
import { Parameter } from './parameter.js'
import { Tensor } from './tensor.js'

const FLOAT_RANK: { readonly [D in DType]?: number } = { f16: 1, bf16: 1, f32: 2, f64: 3 }
const SIGNED_BY_BITS: readonly DType[] = ['i8', 'i16', 'i32', 'i64']
const INT_RANK: { readonly [D in DType]?: number } = { u8: 0, i8: 0, i16: 1, u32: 2, i32: 2, i64: 3 }

function promoteFloats(a: DType, b: DType): DType {
  const ranks = [FLOAT_RANK[a] ?? 0, FLOAT_RANK[b] ?? 0]
  if (ranks[0] !== ranks[1]) return ranks[0] > ranks[1] ? a : b
  return a === b ? a : 'f32'
}

function promoteInts(a: DType, b: DType): DType {
  if (a === b) return a
  const [ra, rb] = [INT_RANK[a] ?? 0, INT_RANK[b] ?? 0]
  if (isSigned(a) === isSigned(b)) return ra > rb ? a : b
  const [unsigned, signed] = isSigned(a) ? [rb, ra] : [ra, rb]
  // A signed type holds an unsigned one when it is wider.
  return SIGNED_BY_BITS[Math.max(signed, unsigned + 1)]
}

/**
 * The dtype that holds both: bool < integers < floats. Of a float and an integer the float wins at its own width; u8 with i8 gives
 * i16, u32 with a signed integer i64, f16 with bf16 f32.
 */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a
  if (a === 'bool') return b
  if (b === 'bool') return a
  if (isFloat(a) || isFloat(b)) return isFloat(a) && isFloat(b) ? promoteFloats(a, b) : isFloat(a) ? a : b
  return promoteInts(a, b)
}

/** What a JS number or nested array of them asks for; it adapts to the dtype of a tensor beside it. */
type Weak = 'bool' | 'int' | 'bigint' | 'float'
const WEAK_ORDER: readonly Weak[] = ['bool', 'int', 'bigint', 'float']
const widest = (a: Weak, b: Weak): Weak => (WEAK_ORDER.indexOf(a) > WEAK_ORDER.indexOf(b) ? a : b)

function weakKind(x: unknown): Weak {
  if (Array.isArray(x)) return x.reduce<Weak>((kind, item) => widest(kind, weakKind(item)), 'bool')
  if (typeof x === 'boolean') return 'bool'
  if (typeof x === 'bigint') return 'bigint'
  return Number.isInteger(x) ? 'int' : 'float'
}

const isStrong = (x: TensorLike): x is Tensor | Parameter | Exclude<TensorLike, number> =>
  x instanceof Tensor || x instanceof Parameter || ArrayBuffer.isView(x)

const ALONE: { readonly [K in Weak]: DType } = { bool: 'bool', int: 'f32', bigint: 'i64', float: 'f32' }

function adapt(strong: DType, weak: Weak): DType {
  if (weak === 'bool' || isFloat(strong)) return strong
  if (weak === 'float') return 'f32'
  return isInteger(strong) ? strong : weak === 'bigint' ? 'i64' : 'i32'
}

/**
 * The dtype in which an operation on `args` computes. Tensors promote by {@link promoteTypes}; JS numbers are weak: they take the
 * dtype of the tensors, except that a fraction makes integers f32 and a whole number makes bool i32.
 */
export function resultType(...args: readonly TensorLike[]): DType {
  let strong: DType | null = null
  let weak: Weak | null = null
  for (const arg of args) {
    if (isStrong(arg)) {
      const dtype = (ArrayBuffer.isView(arg) ? asTensor(arg) : (arg as Tensor)).dtype
      strong = strong === null ? dtype : promoteTypes(strong, dtype)
    } else {
      const kind = weakKind(arg)
      weak = weak === null ? kind : widest(weak, kind)
    }
  }
  if (strong === null) return ALONE[weak ?? 'float']
  return weak === null ? strong : adapt(strong, weak)
}

/** Converts to `dtype`; `x` itself where it has it already. */
export const cast = (x: TensorLike, dtype: DType): Tensor => {
  const tensor = asTensor(x, dtype)
  return tensor.dtype === dtype ? tensor : record('convert', [tensor], { dtype })
}

/** `args` as tensors of their common dtype, or of `dtype`. */
export function promote(args: readonly TensorLike[], dtype: DType = resultType(...args)): Tensor[] {
  return args.map((arg) => cast(arg, dtype))
}

/**
 * `args` as tensors of one dtype (their common one, or `dtype`) and one shape.
 * @throws ShapeError naming `op` when the shapes do not broadcast.
 */
export function align(op: string, args: readonly TensorLike[], dtype?: DType): Tensor[] {
  const tensors = promote(args, dtype)
  const shape = broadcastShapes(op, ...tensors.map((x) => x.shape))
  return tensors.map((x) => broadcastTo(x, shape))
}

/** The float dtype in which functions such as sqrt and mean compute: floats keep theirs, the rest gives f32. */
export const floatType = (dtype: DType): DType => (isFloat(dtype) ? dtype : 'f32')

/** `x` as a float tensor. */
export function toFloat(x: TensorLike): Tensor {
  const tensor = asTensor(x)
  return cast(tensor, floatType(tensor.dtype))
}

const isNarrow = (dtype: DType): boolean => dtype === 'f16' || dtype === 'bf16'

/** The dtype for intermediate results: f32 for f16 and bf16, so that a composed function rounds once. */
export const computeType = (dtype: DType): DType => (isNarrow(dtype) ? 'f32' : floatType(dtype))

/** A function of one tensor. Stated at each, since the methods of Tensor take their types from the functions. */
export type Unary = (x: TensorLike) => Tensor

/** `f` on floats, computed in {@link computeType} and rounded once to the dtype of the operand. */
export const widened =
  (f: (x: Tensor) => Tensor): Unary =>
  (like) => {
    const x = toFloat(like)
    return isNarrow(x.dtype) ? cast(f(cast(x, 'f32')), x.dtype) : f(x)
  }
