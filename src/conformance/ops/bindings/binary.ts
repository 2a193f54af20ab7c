import * as T from '../../../tensor/index.js'
import { type BindingTable, bindings } from '../signature.js'

type Binary = (x: T.TensorLike, y: T.TensorLike) => T.Tensor

const PLAIN: Readonly<Record<string, Binary>> = {
  'torch.mul': T.mul,
  'torch.atan2': T.atan2,
  'torch.copysign': T.copysign,
  'torch.fmod': T.fmod,
  'torch.remainder': T.remainder,
  'torch.floor_divide': T.floorDivide,
  'torch.hypot': T.hypot,
  'torch.logaddexp': T.logaddexp,
  'torch.maximum': T.maximum,
  'torch.minimum': T.minimum,
  'torch.xlogy': T.xlogy,
  'torch.heaviside': T.heaviside,
  'torch.eq': T.eq,
  'torch.ne': T.ne,
  'torch.lt': T.lt,
  'torch.le': T.le,
  'torch.gt': T.gt,
  'torch.ge': T.ge,
  'torch.logical_and': T.logicalAnd,
  'torch.logical_or': T.logicalOr,
  'torch.logical_xor': T.logicalXor,
  'torch.bitwise_and': T.bitwiseAnd,
  'torch.bitwise_or': T.bitwiseOr,
  'torch.bitwise_xor': T.bitwiseXor,
  'torch.bitwise_left_shift': T.leftShift,
  'torch.bitwise_right_shift': T.rightShift,
}

const plain = bindings(
  Object.fromEntries(
    Object.entries(PLAIN).map(([path, fn]) => [
      `${path}(input, other)`,
      (a) => fn(a.operand('input'), a.operand('other')),
    ]),
  ),
)

/** alpha * y, without a product where alpha is 1. */
const scaled = (y: T.Tensor | number, alpha: number): T.Tensor | number =>
  alpha === 1 ? y : typeof y === 'number' ? alpha * y : T.mul(y, alpha)

const withOptions = bindings({
  'torch.add(input, other, alpha=1)': (a) => T.add(a.operand('input'), scaled(a.operand('other'), a.number('alpha'))),
  'torch.sub(input, other, alpha=1)': (a) => T.sub(a.operand('input'), scaled(a.operand('other'), a.number('alpha'))),
  'torch.div(input, other, rounding_mode=None)': (a) =>
    T.div(a.operand('input'), a.operand('other'), {
      roundingMode: (a.maybeString('rounding_mode') ?? null) as 'trunc' | 'floor' | null,
    }),
  'torch.pow(input, exponent)': (a) => T.pow(a.operand('input'), a.operand('exponent')),
  'torch.lerp(input, end, weight)': (a) => T.lerp(a.tensor('input'), a.tensor('end'), a.operand('weight')),
  'torch.addcmul(input, tensor1, tensor2, value=1)': (a) =>
    T.addcmul(a.tensor('input'), a.tensor('tensor1'), a.tensor('tensor2'), a.number('value')),
  'torch.addcdiv(input, tensor1, tensor2, value=1)': (a) =>
    T.addcdiv(a.tensor('input'), a.tensor('tensor1'), a.tensor('tensor2'), a.number('value')),
  'torch.where(condition, input, other)': (a) => T.where(a.tensor('condition'), a.operand('input'), a.operand('other')),
  'Tensor.masked_fill(input, mask, value)': (a) =>
    T.maskedFill(a.tensor('input'), a.tensor('mask'), a.operand('value')),
})

export const BINARY: BindingTable = new Map([...plain, ...withOptions])
