import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'

const unary =
  (fn: (x: T.Tensor) => T.Tensor): ((a: Args) => T.Tensor) =>
  (a) =>
    fn(a.tensor('input'))

/** Functions of one tensor and nothing else. */
const PLAIN: Readonly<Record<string, (x: T.Tensor) => T.Tensor>> = {
  'torch.abs': T.abs,
  'torch.neg': T.neg,
  'torch.sign': T.sign,
  'torch.floor': T.floor,
  'torch.ceil': T.ceil,
  'torch.trunc': T.trunc,
  'torch.frac': T.frac,
  'torch.exp': T.exp,
  'torch.exp2': T.exp2,
  'torch.expm1': T.expm1,
  'torch.log': T.log,
  'torch.log2': T.log2,
  'torch.log10': T.log10,
  'torch.log1p': T.log1p,
  'torch.sqrt': T.sqrt,
  'torch.rsqrt': T.rsqrt,
  'torch.square': T.square,
  'torch.reciprocal': T.reciprocal,
  'torch.sin': T.sin,
  'torch.cos': T.cos,
  'torch.tan': T.tan,
  'torch.asin': T.asin,
  'torch.acos': T.acos,
  'torch.atan': T.atan,
  'torch.sinh': T.sinh,
  'torch.cosh': T.cosh,
  'torch.tanh': T.tanh,
  'torch.asinh': T.asinh,
  'torch.acosh': T.acosh,
  'torch.atanh': T.atanh,
  'torch.erf': T.erf,
  'torch.erfc': T.erfc,
  'torch.erfinv': T.erfinv,
  'torch.special.erf': T.erf,
  'torch.special.erfc': T.erfc,
  'torch.special.erfinv': T.erfinv,
  'torch.lgamma': T.lgamma,
  'torch.digamma': T.digamma,
  'torch.sinc': T.sinc,
  'torch.sigmoid': T.sigmoid,
  'torch.relu': T.relu,
  'torch.isnan': T.isnan,
  'torch.isinf': T.isinf,
  'torch.isfinite': T.isfinite,
  'torch.signbit': T.signbit,
  'torch.logical_not': T.logicalNot,
  'torch.bitwise_not': T.bitwiseNot,
  'Tensor.detach': T.detach,
  'Tensor.clone': (x) => x,
  'Tensor.contiguous': (x) => x,
  'Tensor.float': (x) => T.cast(x, 'f32'),
  'Tensor.double': (x) => T.cast(x, 'f64'),
  'Tensor.half': (x) => T.cast(x, 'f16'),
  'Tensor.bfloat16': (x) => T.cast(x, 'bf16'),
  'Tensor.int': (x) => T.cast(x, 'i32'),
  'Tensor.long': (x) => T.cast(x, 'i64'),
  'Tensor.bool': (x) => T.cast(x, 'bool'),
  'F.relu6': T.relu6,
  'F.selu': T.selu,
  'F.mish': T.mish,
  'F.hardsigmoid': T.hardsigmoid,
  'F.hardswish': T.hardswish,
  'F.logsigmoid': T.logSigmoid,
  'F.softsign': T.softsign,
  'F.tanhshrink': T.tanhshrink,
  'F.silu': T.silu,
  'F.sigmoid': T.sigmoid,
  'F.tanh': T.tanh,
  'F.relu': T.relu,
}

const plain = bindings(Object.fromEntries(Object.entries(PLAIN).map(([path, fn]) => [`${path}(input)`, unary(fn)])))

const withOptions = bindings({
  'torch.round(input, decimals=0)': (a) => T.round(a.tensor('input'), a.int('decimals')),
  'torch.logit(input, eps=None)': (a) => T.logit(a.tensor('input'), a.maybeNumber('eps')),
  'torch.clamp(input, min=None, max=None)': (a) =>
    T.clamp(a.tensor('input'), a.has('min') ? a.operand('min') : null, a.has('max') ? a.operand('max') : null),
  'torch.nan_to_num(input, nan=0.0, posinf=None, neginf=None)': (a) =>
    T.nanToNum(a.tensor('input'), {
      nan: a.number('nan'),
      posinf: a.maybeNumber('posinf'),
      neginf: a.maybeNumber('neginf'),
    }),
  'Tensor.to(input, dtype)': (a) => T.cast(a.tensor('input'), a.dtype('dtype')),
  'Tensor.type(input, dtype)': (a) => T.cast(a.tensor('input'), a.dtype('dtype')),
  'F.leaky_relu(input, negative_slope=0.01)': (a) => T.leakyRelu(a.tensor('input'), a.number('negative_slope')),
  'F.prelu(input, weight)': (a) => T.prelu(a.tensor('input'), a.tensor('weight')),
  'F.elu(input, alpha=1.0)': (a) => T.elu(a.tensor('input'), a.number('alpha')),
  'F.celu(input, alpha=1.0)': (a) => T.celu(a.tensor('input'), a.number('alpha')),
  'F.gelu(input, approximate="none")': (a) =>
    T.gelu(a.tensor('input'), { approximate: a.string('approximate') as 'none' | 'tanh' }),
  'F.hardtanh(input, min_val=-1.0, max_val=1.0)': (a) =>
    T.hardtanh(a.tensor('input'), a.number('min_val'), a.number('max_val')),
  'F.hardshrink(input, lambd=0.5)': (a) => T.hardshrink(a.tensor('input'), a.number('lambd')),
  'F.softshrink(input, lambd=0.5)': (a) => T.softshrink(a.tensor('input'), a.number('lambd')),
  'F.softplus(input, beta=1.0, threshold=20.0)': (a) =>
    T.softplus(a.tensor('input'), { beta: a.number('beta'), threshold: a.number('threshold') }),
  'F.threshold(input, threshold, value)': (a) =>
    T.threshold(a.tensor('input'), a.number('threshold'), a.number('value')),
  'F.glu(input, dim=-1)': (a) => T.glu(a.tensor('input'), a.int('dim')),
})

export const UNARY: BindingTable = new Map([...plain, ...withOptions])
