import { methodTable } from './method-table.js'
import type * as ops from './ops/index.js'
import { Tensor } from './tensor.js'

/** A function of a tensor as a method: its first argument becomes `this`. */
type Method<F> = F extends (x: never, ...rest: infer R) => infer T ? (...rest: R) => T : never

/** Functions that are also methods: `sum(x, 1)` and `x.sum(1)` are the same. */
export interface TensorMethods {
  // elementwise
  neg: Method<typeof ops.neg>
  abs: Method<typeof ops.abs>
  sign: Method<typeof ops.sign>
  floor: Method<typeof ops.floor>
  ceil: Method<typeof ops.ceil>
  round: Method<typeof ops.round>
  trunc: Method<typeof ops.trunc>
  frac: Method<typeof ops.frac>
  exp: Method<typeof ops.exp>
  exp2: Method<typeof ops.exp2>
  expm1: Method<typeof ops.expm1>
  log: Method<typeof ops.log>
  log2: Method<typeof ops.log2>
  log10: Method<typeof ops.log10>
  log1p: Method<typeof ops.log1p>
  sqrt: Method<typeof ops.sqrt>
  rsqrt: Method<typeof ops.rsqrt>
  square: Method<typeof ops.square>
  reciprocal: Method<typeof ops.reciprocal>
  sin: Method<typeof ops.sin>
  cos: Method<typeof ops.cos>
  tan: Method<typeof ops.tan>
  asin: Method<typeof ops.asin>
  acos: Method<typeof ops.acos>
  atan: Method<typeof ops.atan>
  atan2: Method<typeof ops.atan2>
  sinh: Method<typeof ops.sinh>
  cosh: Method<typeof ops.cosh>
  tanh: Method<typeof ops.tanh>
  asinh: Method<typeof ops.asinh>
  acosh: Method<typeof ops.acosh>
  atanh: Method<typeof ops.atanh>
  erf: Method<typeof ops.erf>
  erfc: Method<typeof ops.erfc>
  erfinv: Method<typeof ops.erfinv>
  lgamma: Method<typeof ops.lgamma>
  digamma: Method<typeof ops.digamma>
  logit: Method<typeof ops.logit>
  sinc: Method<typeof ops.sinc>
  sigmoid: Method<typeof ops.sigmoid>
  relu: Method<typeof ops.relu>
  silu: Method<typeof ops.silu>
  gelu: Method<typeof ops.gelu>
  softplus: Method<typeof ops.softplus>
  isnan: Method<typeof ops.isnan>
  isinf: Method<typeof ops.isinf>
  isfinite: Method<typeof ops.isfinite>
  signbit: Method<typeof ops.signbit>
  nanToNum: Method<typeof ops.nanToNum>
  clamp: Method<typeof ops.clamp>
  clip: Method<typeof ops.clip>
  to: Method<typeof ops.to>
  bitcast: Method<typeof ops.bitcast>
  stopGradient: Method<typeof ops.stopGradient>
  detach: Method<typeof ops.detach>
  // arithmetic, comparison, logic
  add: Method<typeof ops.add>
  sub: Method<typeof ops.sub>
  mul: Method<typeof ops.mul>
  div: Method<typeof ops.div>
  floorDivide: Method<typeof ops.floorDivide>
  remainder: Method<typeof ops.remainder>
  fmod: Method<typeof ops.fmod>
  pow: Method<typeof ops.pow>
  maximum: Method<typeof ops.maximum>
  minimum: Method<typeof ops.minimum>
  hypot: Method<typeof ops.hypot>
  logaddexp: Method<typeof ops.logaddexp>
  copysign: Method<typeof ops.copysign>
  lerp: Method<typeof ops.lerp>
  addcmul: Method<typeof ops.addcmul>
  addcdiv: Method<typeof ops.addcdiv>
  xlogy: Method<typeof ops.xlogy>
  maskedFill: Method<typeof ops.maskedFill>
  eq: Method<typeof ops.eq>
  ne: Method<typeof ops.ne>
  lt: Method<typeof ops.lt>
  le: Method<typeof ops.le>
  gt: Method<typeof ops.gt>
  ge: Method<typeof ops.ge>
  isclose: Method<typeof ops.isclose>
  logicalAnd: Method<typeof ops.logicalAnd>
  logicalOr: Method<typeof ops.logicalOr>
  logicalXor: Method<typeof ops.logicalXor>
  logicalNot: Method<typeof ops.logicalNot>
  bitwiseAnd: Method<typeof ops.bitwiseAnd>
  bitwiseOr: Method<typeof ops.bitwiseOr>
  bitwiseXor: Method<typeof ops.bitwiseXor>
  bitwiseNot: Method<typeof ops.bitwiseNot>
  leftShift: Method<typeof ops.leftShift>
  rightShift: Method<typeof ops.rightShift>
  // reductions
  sum: Method<typeof ops.sum>
  nansum: Method<typeof ops.nansum>
  mean: Method<typeof ops.mean>
  nanmean: Method<typeof ops.nanmean>
  prod: Method<typeof ops.prod>
  max: Method<typeof ops.max>
  min: Method<typeof ops.min>
  amax: Method<typeof ops.amax>
  amin: Method<typeof ops.amin>
  maxAlong: Method<typeof ops.maxAlong>
  minAlong: Method<typeof ops.minAlong>
  argmax: Method<typeof ops.argmax>
  argmin: Method<typeof ops.argmin>
  any: Method<typeof ops.any>
  all: Method<typeof ops.all>
  countNonzero: Method<typeof ops.countNonzero>
  logsumexp: Method<typeof ops.logsumexp>
  var: Method<typeof ops.variance>
  std: Method<typeof ops.std>
  norm: Method<typeof ops.norm>
  median: Method<typeof ops.median>
  quantile: Method<typeof ops.quantile>
  cumsum: Method<typeof ops.cumsum>
  cumprod: Method<typeof ops.cumprod>
  cummax: Method<typeof ops.cummax>
  cummin: Method<typeof ops.cummin>
  logcumsumexp: Method<typeof ops.logcumsumexp>
  softmax: Method<typeof ops.softmax>
  logSoftmax: Method<typeof ops.logSoftmax>
  // shape
  reshape: Method<typeof ops.reshape>
  permute: Method<typeof ops.permute>
  transpose: Method<typeof ops.transpose>
  t: Method<typeof ops.t>
  flatten: Method<typeof ops.flatten>
  unflatten: Method<typeof ops.unflatten>
  movedim: Method<typeof ops.movedim>
  squeeze: Method<typeof ops.squeeze>
  unsqueeze: Method<typeof ops.unsqueeze>
  expand: Method<typeof ops.expand>
  expandAs: Method<typeof ops.expandAs>
  repeat: Method<typeof ops.repeat>
  repeatInterleave: Method<typeof ops.repeatInterleave>
  tile: Method<typeof ops.tile>
  flip: Method<typeof ops.flip>
  roll: Method<typeof ops.roll>
  diff: Method<typeof ops.diff>
  unfold: Method<typeof ops.unfold>
  pad: Method<typeof ops.pad>
  split: Method<typeof ops.split>
  chunk: Method<typeof ops.chunk>
  tensorSplit: Method<typeof ops.tensorSplit>
  unbind: Method<typeof ops.unbind>
  narrow: Method<typeof ops.narrow>
  select: Method<typeof ops.select>
  diagonal: Method<typeof ops.diagonal>
  tril: Method<typeof ops.tril>
  triu: Method<typeof ops.triu>
  // indexing and order
  at: Method<typeof ops.at>
  slice: Method<typeof ops.slice>
  setAt: Method<typeof ops.setAt>
  indexPut: Method<typeof ops.indexPut>
  indexAdd: Method<typeof ops.indexAdd>
  indexCopy: Method<typeof ops.indexCopy>
  indexFill: Method<typeof ops.indexFill>
  scatter: Method<typeof ops.scatter>
  scatterAdd: Method<typeof ops.scatterAdd>
  scatterReduce: Method<typeof ops.scatterReduce>
  maskedScatter: Method<typeof ops.maskedScatter>
  gather: Method<typeof ops.gather>
  takeAlongDim: Method<typeof ops.takeAlongDim>
  take: Method<typeof ops.take>
  indexSelect: Method<typeof ops.indexSelect>
  sort: Method<typeof ops.sort>
  argsort: Method<typeof ops.argsort>
  topK: Method<typeof ops.topK>
  kthvalue: Method<typeof ops.kthvalue>
  // products
  matmul: Method<typeof ops.matmul>
  mm: Method<typeof ops.mm>
  bmm: Method<typeof ops.bmm>
  mv: Method<typeof ops.mv>
  dot: Method<typeof ops.dot>
  outer: Method<typeof ops.outer>
  tensordot: Method<typeof ops.tensordot>
}

declare module './tensor.js' {
  interface Tensor extends TensorMethods {}
}

type AnyMethod = (x: Tensor, ...rest: unknown[]) => unknown

for (const [name, fn] of Object.entries(methodTable) as [string, AnyMethod][]) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...rest)
    },
    writable: true,
    configurable: true,
  })
}
