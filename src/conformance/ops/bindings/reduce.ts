import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { NamedTuple, type PyValue } from '../values.js'

type Reduction = (x: T.Tensor, dim: number[] | undefined, options: T.ReduceOptions) => T.Tensor

/** Dimensions to reduce; an empty list means all, as in torch. */
const dims = (a: Args): number[] | undefined => {
  const given = a.maybeInts('dim')
  return given?.length === 0 ? undefined : given
}

const over =
  (fn: Reduction) =>
  (a: Args): T.Tensor => {
    const x = a.tensor('input')
    return fn(a.has('dtype') ? T.cast(x, a.dtype('dtype')) : x, dims(a), { keepdim: a.bool('keepdim') })
  }

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  'torch.sum': T.sum,
  'torch.mean': T.mean,
  'torch.amax': T.amax,
  'torch.amin': T.amin,
  'torch.any': T.any,
  'torch.all': T.all,
  'torch.logsumexp': T.logsumexp,
  'torch.nansum': T.nansum,
  'torch.nanmean': T.nanmean,
}

const overDims = bindings(
  Object.fromEntries(
    Object.entries(REDUCTIONS).map(([path, fn]) => [`${path}(input, dim=None, keepdim=False, dtype=None)`, over(fn)]),
  ),
)

type Extreme = {
  all: (x: T.Tensor) => T.Tensor
  pair: (x: T.Tensor, y: T.Tensor) => T.Tensor
  along: (x: T.Tensor, dim: number, options: T.ReduceOptions) => { values: T.Tensor; indices: T.Tensor }
}

const named = ({ values, indices }: { values: T.Tensor; indices: T.Tensor }): NamedTuple =>
  new NamedTuple([values, indices], ['values', 'indices'])

/** torch.max and torch.min: over everything, along one dimension, or of two tensors. */
const extreme =
  ({ all, pair, along }: Extreme) =>
  (a: Args): PyValue => {
    if (!a.has('dim')) return all(a.tensor('input'))
    if (a.raw('dim') instanceof T.Tensor) return pair(a.tensor('input'), a.tensor('dim'))
    return named(along(a.tensor('input'), a.int('dim'), { keepdim: a.bool('keepdim') }))
  }

/** `correction`, which `unbiased` may state as a truth value. */
const correction = (a: Args): number => (a.has('unbiased') ? Number(a.bool('unbiased')) : a.number('correction'))

const SPREAD = '(input, dim=None, unbiased=None, correction=1, keepdim=False)'

const spread =
  (fn: typeof T.std) =>
  (a: Args): T.Tensor =>
    fn(a.tensor('input'), dims(a), { correction: correction(a), keepdim: a.bool('keepdim') })

const softened =
  (fn: (x: T.Tensor, dim: number) => T.Tensor) =>
  (a: Args): T.Tensor =>
    fn(a.tensor('input'), a.int('dim'))

const withOptions = bindings({
  'torch.max(input, dim=None, keepdim=False)': extreme({ all: T.max, pair: T.maximum, along: T.maxAlong }),
  'torch.min(input, dim=None, keepdim=False)': extreme({ all: T.min, pair: T.minimum, along: T.minAlong }),
  'torch.aminmax(input, dim=None, keepdim=False)': (a) => {
    const { min, max } = T.aminmax(a.tensor('input'), a.maybeInt('dim'), { keepdim: a.bool('keepdim') })
    return new NamedTuple([min, max], ['min', 'max'])
  },
  [`torch.var${SPREAD}`]: spread(T.variance),
  [`torch.std${SPREAD}`]: spread(T.std),
  [`torch.var_mean${SPREAD}`]: (a) => {
    const moments = T.varMean(a.tensor('input'), a.maybeInts('dim'), {
      correction: correction(a),
      keepdim: a.bool('keepdim'),
    })
    return [moments.variance, moments.mean]
  },
  'torch.median(input, dim=None, keepdim=False)': (a) => {
    const median = T.median(a.tensor('input'), a.maybeInt('dim'), { keepdim: a.bool('keepdim') })
    return a.has('dim') ? named(median) : median.values
  },
  'torch.quantile(input, q, dim=None, keepdim=False, interpolation="linear")': (a) =>
    T.quantile(a.tensor('input'), a.operand('q'), a.maybeInt('dim'), {
      keepdim: a.bool('keepdim'),
      interpolation: a.string('interpolation') as T.QuantileOptions['interpolation'],
    }),
  'torch.cov(input, correction=1)': (a) => T.cov(a.tensor('input'), { correction: a.number('correction') }),
  'torch.corrcoef(input)': (a) => T.corrcoef(a.tensor('input')),
  'F.softmax(input, dim)': softened(T.softmax),
  'torch.softmax(input, dim)': softened(T.softmax),
  'F.log_softmax(input, dim)': softened(T.logSoftmax),
  'torch.log_softmax(input, dim)': softened(T.logSoftmax),
  'F.softmin(input, dim)': softened(T.softmin),
  'torch.prod(input, dim=None, keepdim=False)': (a) =>
    T.prod(a.tensor('input'), a.maybeInt('dim'), { keepdim: a.bool('keepdim') }),
  'torch.argmax(input, dim=None, keepdim=False)': (a) =>
    T.argmax(a.tensor('input'), a.maybeInt('dim'), { keepdim: a.bool('keepdim') }),
  'torch.argmin(input, dim=None, keepdim=False)': (a) =>
    T.argmin(a.tensor('input'), a.maybeInt('dim'), { keepdim: a.bool('keepdim') }),
  'torch.count_nonzero(input, dim=None)': (a) => T.countNonzero(a.tensor('input'), a.maybeInts('dim')),
})

export const REDUCE: BindingTable = new Map([...overDims, ...withOptions])
