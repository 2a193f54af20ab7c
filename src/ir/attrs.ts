import type { DType, TypedArray } from './dtype.js'
import type { Graph } from './graph.js'
import type { Shape } from './shape.js'

export type CompareDirection = 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE'
export type ReduceKind = 'sum' | 'max' | 'min' | 'prod' | 'and' | 'or' | 'argmax' | 'argmin'
export type WindowKind = 'sum' | 'max' | 'min'
export type ScatterKind = 'set' | 'add' | 'max' | 'min' | 'multiply'
export type Padding = readonly (readonly [low: number, high: number])[]

export interface ShapeDType {
  readonly shape: Shape
  readonly dtype: DType
}

/** Values carried by attributes of a composite: plain data that a cache key can hold. */
export type AttrValue = number | string | boolean | null | readonly AttrValue[]

export interface GatherAttrs {
  /** Output dimensions that come from the slice (StableHLO `offset_dims`), ascending. */
  readonly offset_dims: readonly number[]
  /** Operand dimensions of slice size 1 that are dropped, ascending. */
  readonly collapsed_slice_dims: readonly number[]
  /** Operand dimension that each component of an index vector addresses; the index vector is the last dimension of the indices. */
  readonly start_index_map: readonly number[]
  readonly slice_sizes: readonly number[]
}

export interface ScatterAttrs {
  readonly kind: ScatterKind
  readonly update_window_dims: readonly number[]
  readonly inserted_window_dims: readonly number[]
  readonly scatter_dims_to_operand_dims: readonly number[]
}

export interface DotAttrs {
  readonly lhs_batch: readonly number[]
  readonly rhs_batch: readonly number[]
  readonly lhs_contract: readonly number[]
  readonly rhs_contract: readonly number[]
}

export interface ConvDims {
  readonly input_batch: number
  readonly input_feature: number
  readonly input_spatial: readonly number[]
  readonly kernel_input_feature: number
  readonly kernel_output_feature: number
  readonly kernel_spatial: readonly number[]
  readonly output_batch: number
  readonly output_feature: number
  readonly output_spatial: readonly number[]
}

export interface ConvAttrs extends ConvDims {
  readonly window_strides: readonly number[]
  readonly padding: Padding
  readonly lhs_dilation: readonly number[]
  readonly rhs_dilation: readonly number[]
  readonly feature_group_count: number
  readonly batch_group_count: number
}

export interface WindowAttrs {
  readonly kind: WindowKind
  readonly window_dimensions: readonly number[]
  readonly window_strides: readonly number[]
  readonly padding: Padding
  readonly base_dilation: readonly number[]
  readonly window_dilation: readonly number[]
}

export interface ScanAttrs {
  /** Parameters: constants, carry, one slice of each xs. Results: carry, then one slice of each ys. */
  readonly body: Graph
  readonly num_consts: number
  readonly num_carry: number
  readonly length: number
  readonly reverse: boolean
}

export interface CompositeAttrs {
  readonly name: string
  readonly attributes: Readonly<Record<string, AttrValue>>
  readonly body: Graph
}

type None = Readonly<Record<never, never>>

/** Attributes of every op; the keys are the op names. */
export interface OpAttrs {
  // source
  parameter: ShapeDType
  /** `data` holds one element (a splat) or every element in row-major order, in the dtype's storage form. */
  constant: ShapeDType & { readonly data: TypedArray }
  iota: ShapeDType & { readonly dimension: number }
  // unary
  negate: None
  abs: None
  sign: None
  floor: None
  ceil: None
  round_nearest_even: None
  exponential: None
  exponential_minus_one: None
  log: None
  log_plus_one: None
  sqrt: None
  rsqrt: None
  sine: None
  cosine: None
  tangent: None
  tanh: None
  erf: None
  erfc: None
  erf_inv: None
  lgamma: None
  digamma: None
  not: None
  // cast
  convert: { readonly dtype: DType }
  bitcast_convert: { readonly dtype: DType }
  // binary
  add: None
  subtract: None
  multiply: None
  divide: None
  remainder: None
  power: None
  maximum: None
  minimum: None
  atan2: None
  and: None
  or: None
  xor: None
  shift_left: None
  shift_right_logical: None
  shift_right_arithmetic: None
  // select
  compare: { readonly direction: CompareDirection }
  select: None
  // movement
  reshape: { readonly shape: Shape }
  transpose: { readonly permutation: readonly number[] }
  broadcast_in_dim: { readonly shape: Shape; readonly dims: readonly number[] }
  slice: { readonly start: readonly number[]; readonly limit: readonly number[]; readonly strides: readonly number[] }
  pad: { readonly low: readonly number[]; readonly high: readonly number[]; readonly interior: readonly number[] }
  concatenate: { readonly dimension: number }
  reverse: { readonly dimensions: readonly number[] }
  // indexing
  gather: GatherAttrs
  scatter: ScatterAttrs
  dynamic_slice: { readonly slice_sizes: readonly number[] }
  dynamic_update_slice: None
  sort: { readonly dimension: number; readonly descending: boolean }
  // contraction
  dot_general: DotAttrs
  convolution: ConvAttrs
  reduce: { readonly kind: ReduceKind; readonly dimensions: readonly number[] }
  reduce_window: WindowAttrs
  // control
  while: { readonly cond: Graph; readonly body: Graph }
  scan: ScanAttrs
  call: { readonly body: Graph; readonly remat: boolean }
  // meta
  stop_gradient: None
  optimization_barrier: None
  composite: CompositeAttrs
}

export type OpName = keyof OpAttrs
