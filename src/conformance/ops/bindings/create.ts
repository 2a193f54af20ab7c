import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { describe, isSequence, itemsOf, type PyValue } from '../values.js'

type Nested = number | boolean | readonly Nested[]

function nested(value: PyValue): Nested {
  if (isSequence(value)) return itemsOf(value).map(nested)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  throw new TypeError(`torch.tensor takes numbers, got ${describe(value)}`)
}

/** torch.tensor: whole numbers give int64. */
function tensorOf(a: Args): T.Tensor {
  const data = nested(a.raw('data'))
  const flat = (Array.isArray(data) ? data : [data]).flat(Number.POSITIVE_INFINITY as 1) as Nested[]
  const whole = flat.length > 0 && flat.every((item) => Number.isInteger(item))
  const dtype = a.maybeDtype('dtype') ?? (whole ? 'i64' : undefined)
  return T.tensor(data as T.TensorLike, { dtype })
}

/** torch.arange: whole numbers give int64. */
function arange(a: Args): T.Tensor {
  const [start, end, step] = [a.number('start'), a.maybeNumber('end'), a.number('step')]
  const whole = [start, end ?? 0, step].every(Number.isInteger)
  return T.arange(start, end, step, { dtype: a.maybeDtype('dtype') ?? (whole ? 'i64' : 'f32') })
}

const WORDS: Readonly<Record<string, number>> = {
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
}

const numberOf = (value: PyValue): number => {
  if (typeof value === 'string' && value in WORDS) return WORDS[value]
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return Number(value)
  throw new TypeError(`expected a number, got ${describe(value)}`)
}

/** Creation, and Python's own conversions. */
export const CREATE: BindingTable = bindings({
  'float(x)': (a) => numberOf(a.raw('x')),
  'int(x)': (a) => Math.trunc(numberOf(a.raw('x'))),
  'len(x)': (a) => (a.raw('x') instanceof T.Tensor ? a.tensor('x').shape[0] : itemsOf(a.raw('x')).length),
  'torch.tensor(data, dtype=None)': tensorOf,
  'torch.zeros(*size, dtype=None)': (a) => T.zeros(a.shape('size'), { dtype: a.maybeDtype('dtype') }),
  'torch.ones(*size, dtype=None)': (a) => T.ones(a.shape('size'), { dtype: a.maybeDtype('dtype') }),
  'torch.zeros_like(input)': (a) => T.zerosLike(a.tensor('input')),
  'torch.ones_like(input)': (a) => T.onesLike(a.tensor('input')),
  'torch.full(size, fill_value, dtype=None)': (a) =>
    T.full(a.ints('size'), a.number('fill_value'), { dtype: a.maybeDtype('dtype') }),
  'torch.full_like(input, fill_value)': (a) => T.fullLike(a.tensor('input'), a.number('fill_value')),
  'torch.arange(start, end=None, step=1, dtype=None)': arange,
  'torch.linspace(start, end, steps)': (a) => T.linspace(a.number('start'), a.number('end'), a.int('steps')),
  'torch.logspace(start, end, steps, base=10.0)': (a) =>
    T.logspace(a.number('start'), a.number('end'), a.int('steps'), { base: a.number('base') }),
  'torch.eye(n, m=None, dtype=None)': (a) => T.eye(a.int('n'), a.maybeInt('m'), { dtype: a.maybeDtype('dtype') }),
  'torch.triu(input, diagonal=0)': (a) => T.triu(a.tensor('input'), a.int('diagonal')),
  'torch.tril(input, diagonal=0)': (a) => T.tril(a.tensor('input'), a.int('diagonal')),
})
