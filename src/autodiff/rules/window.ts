import { apply, dilated, type Shape, sizeOf, splat, stridesOf, type Value, type WindowAttrs } from '../../ir/index.js'
import * as e from '../emit.js'
import { inputGradPadding } from './convolution.js'

/** Every input element collects the cotangents of the windows that hold it: again a window sum. */
export function windowSumGrad(ct: Value, x: Value, attrs: WindowAttrs): Value {
  const padding = inputGradPadding(x.shape, attrs.window_dimensions, ct.shape, {
    padding: attrs.padding,
    window_strides: attrs.window_strides,
    lhs_dilation: attrs.base_dilation,
    rhs_dilation: attrs.window_dilation,
  })
  return apply('reduce_window', [ct], {
    kind: 'sum',
    window_dimensions: attrs.window_dimensions,
    window_strides: attrs.base_dilation,
    padding,
    base_dilation: attrs.window_strides,
    window_dilation: attrs.window_dilation,
  })
}

/** sum over dimensions of (position along the dimension * step), for every position in `shape`. */
function linearOffsets(shape: Shape, steps: readonly number[]): Value {
  const lines = shape.map((_, dimension) => {
    const positions = apply('iota', [], { shape, dtype: 'i32', dimension })
    return e.scale(positions, steps[dimension])
  })
  return lines.length === 0 ? splat(0, [], 'i32') : e.sum(lines)
}

const firstExtreme = (kind: 'max' | 'min', patches: Value): Value =>
  apply('reduce', [patches], { kind: kind === 'max' ? 'argmax' : 'argmin', dimensions: [patches.shape.length - 1] })

const filled = (x: Value, fill: number, { padding, base_dilation }: WindowAttrs): Value =>
  apply('pad', [x, splat(fill, [], x.dtype)], {
    low: padding.map(([n]) => n),
    high: padding.map(([, n]) => n),
    interior: base_dilation.map((n) => n - 1),
  })

/** Gathers every window as a row of the padded input, finds its first extreme, and adds the cotangent there. */
function windowExtremeBody(x: Value, ct: Value, attrs: WindowAttrs): Value {
  const kind = attrs.kind === 'max' ? 'max' : 'min'
  const worst = kind === 'max' ? -Infinity : Infinity
  const padded = filled(x, worst, attrs)
  const strides = stridesOf(padded.shape)
  const flat = e.reshape(padded, [sizeOf(padded.shape)])
  const taps = sizeOf(attrs.window_dimensions)
  const windows = e.reshape(
    linearOffsets(
      ct.shape,
      strides.map((s, i) => s * attrs.window_strides[i]),
    ),
    [sizeOf(ct.shape)],
  )
  const inWindow = e.reshape(
    linearOffsets(
      attrs.window_dimensions,
      strides.map((s, i) => s * attrs.window_dilation[i]),
    ),
    [taps],
  )
  const rows = [sizeOf(ct.shape), taps]
  const places = e.add(e.unreduce(windows, rows, [1]), e.unreduce(inWindow, rows, [0]))
  const one = { collapsed_slice_dims: [0], start_index_map: [0], slice_sizes: [1] }
  const inPlaces = (y: Value): Value =>
    apply('gather', [y, e.reshape(places, [...rows, 1])], { offset_dims: [], ...one })
  const patches = inPlaces(flat)
  const extreme = firstExtreme(kind, patches)
  // Padding never wins: where all elements are as bad as it, the first of them does.
  const real = firstExtreme('max', inPlaces(e.reshape(filled(e.like(x, 1), 0, attrs), flat.shape)))
  const top = e.reduce(kind, patches, [1])
  const best = e.reshape(e.select(e.compare('EQ', top, e.like(top, worst)), real, extreme), [rows[0], 1])
  const place = e.add(windows, apply('gather', [inWindow, best], { offset_dims: [], ...one }))
  const collected = apply('scatter', [e.zeros(flat), e.reshape(place, [rows[0], 1]), e.reshape(ct, [rows[0]])], {
    kind: 'add',
    update_window_dims: [],
    inserted_window_dims: [0],
    scatter_dims_to_operand_dims: [0],
  })
  const none = x.shape.map(() => 0)
  const trimmed = e.padZeros(
    e.reshape(collected, padded.shape),
    attrs.padding.map(([n]) => -n),
    attrs.padding.map(([, n]) => -n),
    none,
  )
  return apply('slice', [trimmed], {
    start: none,
    limit: x.shape.map((n, i) => dilated(n, attrs.base_dilation[i])),
    strides: attrs.base_dilation,
  })
}

/**
 * Composite `max_pool_grad`(input, cotangent): gradient of a window maximum (or minimum, by `kind`); the first extreme of each window, in
 * row-major order, takes all of it. Attributes: those of the forward `reduce_window`.
 */
export function windowExtremeGrad(ct: Value, x: Value, attrs: WindowAttrs): Value {
  if (sizeOf(ct.shape) === 0 || sizeOf(attrs.window_dimensions) === 0) return e.zeros(x)
  return e.composite('max_pool_grad', { ...attrs }, [x, ct], (input, g) => [windowExtremeBody(input, g, attrs)])[0]
}
