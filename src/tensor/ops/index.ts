/** The public functions; what only other files of this folder need is not among them. */
export * from './activations.js'
export * from './arithmetic.js'
export {
  arange,
  type CreateOptions,
  eye,
  full,
  fullLike,
  iota,
  linspace,
  logspace,
  meshgrid,
  ones,
  onesLike,
  table,
  tril,
  triu,
  zeros,
  zerosLike,
} from './creation.js'
export * from './diagonals.js'
export { einsum } from './einsum.js'
export {
  abs,
  add,
  atan2,
  bitcast,
  bitwiseAnd,
  bitwiseNot,
  bitwiseOr,
  bitwiseXor,
  ceil,
  cos,
  detach,
  digamma,
  eq,
  erf,
  erfc,
  erfinv,
  exp,
  expm1,
  floor,
  fmod,
  ge,
  gt,
  isFloatingPoint,
  le,
  leftShift,
  lgamma,
  log,
  log1p,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  lt,
  maximum,
  minimum,
  mul,
  ne,
  neg,
  rightShift,
  rsqrt,
  sign,
  sin,
  sqrt,
  stopGradient,
  sub,
  tan,
  tanh,
  to,
  toBool,
  trueDivide,
  where,
} from './elementwise.js'
export * from './embedding-bag.js'
export { embedding, gather, indexSelect, oneHot, take, takeAlongDim, takeFlat } from './gather.js'
export * from './host.js'
export type { Index, RangeIndex } from './index-spec.js'
export * from './indexing.js'
export * from './join.js'
export * from './linalg.js'
export {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  clamp,
  clip,
  cosh,
  exp2,
  frac,
  isfinite,
  isinf,
  isnan,
  log2,
  log10,
  logit,
  type NanToNumOptions,
  nanToNum,
  reciprocal,
  round,
  sigmoid,
  signbit,
  sinc,
  sinh,
  square,
  trunc,
} from './math.js'
export * from './matmul.js'
export * from './norms.js'
export * from './pad.js'
export * from './prefix.js'
export * from './rearrange.js'
export {
  all,
  amax,
  amin,
  any,
  argmax,
  argmin,
  countNonzero,
  logsumexp,
  mean,
  nanmean,
  nansum,
  prod,
  type ReduceOptions,
  sum,
} from './reduce.js'
export * from './scatter.js'
export * from './search.js'
export {
  expand,
  expandAs,
  flatten,
  movedim,
  mT,
  narrow,
  permute,
  reshape,
  select,
  squeeze,
  t,
  transpose,
  unflatten,
  unsqueeze,
} from './shape.js'
export * from './softmax.js'
export { argsort, type Indexed, kthvalue, type SortOptions, sort, type TopKOptions, topK, topk } from './sort.js'
export {
  aminmax,
  corrcoef,
  cov,
  equal,
  max,
  maxAlong,
  median,
  min,
  minAlong,
  type QuantileOptions,
  quantile,
  std,
  type VarOptions,
  variance,
  varMean,
} from './statistics.js'
export * from './svd.js'
