import { dtypeBytes, type Node, type OpAttrs, sizeOf } from '../../ir/index.js'
import type { Lowering } from './lower.js'
import type { View } from './view.js'

type ControlNode<K extends 'while' | 'scan' | 'call'> = Node & { attrs: OpAttrs[K] }

export function lowerCall(lowering: Lowering, node: ControlNode<'call'>): void {
  const results = lowering.graph(
    node.attrs.body,
    node.inputs.map((input) => lowering.view(input)),
  )
  node.outputs.forEach((output, i) => {
    lowering.bind(output, results[i])
  })
}

/** Memory of loop-carried values, filled with their first values. */
function startCarry(lowering: Lowering, values: readonly View[], op: string): View[] {
  return values.map((value) => {
    const carry = lowering.builder.allocate(value.dtype, value.shape)
    if (sizeOf(value.shape) > 0) lowering.copy(value, carry, op)
    return carry
  })
}

/**
 * Copies what a body returned into the carry. A result that is itself carried memory is saved first, since it may be overwritten
 * by another copy.
 */
function updateCarry(lowering: Lowering, results: readonly View[], carry: readonly View[], op: string): void {
  const carried = new Set(carry.map((view) => view.storage))
  const sources = results.map((result, i) => {
    if (result.storage === carry[i].storage || !carried.has(result.storage) || sizeOf(result.shape) === 0) return result
    const saved = lowering.builder.allocate(result.dtype, result.shape)
    lowering.copy(result, saved, op)
    return saved
  })
  sources.forEach((source, i) => {
    if (source.storage === carry[i].storage || sizeOf(source.shape) === 0) return
    const copy = lowering.copy(source, carry[i], op)
    lowering.carries.push({ result: source.storage, carry: carry[i].storage, copy })
  })
}

export function lowerWhile(lowering: Lowering, node: ControlNode<'while'>): void {
  const { builder } = lowering
  const { cond, body } = node.attrs
  const carry = startCarry(
    lowering,
    node.inputs.map((input) => lowering.view(input)),
    'while',
  )
  const first = builder.instructions.length
  const [predicate] = lowering.graph(cond, carry)
  const exit: number[] = [0]
  builder.emit({ control: 'branch_unless', op: 'while', in: [predicate], ints: exit })
  updateCarry(lowering, lowering.graph(body, carry), carry, 'while')
  const last = builder.emit({ control: 'jump', op: 'while', ints: [first] })
  exit[0] = last + 1
  builder.regions.push({ first, last })
  node.outputs.forEach((output, i) => {
    lowering.bind(output, carry[i])
  })
}

/** A window over element `counter` of the leading dimension of `view`, counted from the end if `reverse`. */
function slicesOf(lowering: Lowering, view: View, counter: number, length: number, reverse: boolean): View {
  const bytes = dtypeBytes(view.dtype)
  const step = view.strides[0] * bytes
  const start = view.offset * bytes + (reverse ? (length - 1) * step : 0)
  const storage = lowering.builder.window(view.storage, start, counter, reverse ? -step : step, view)
  return { storage, dtype: view.dtype, shape: view.shape.slice(1), strides: view.strides.slice(1), offset: 0 }
}

export function lowerScan(lowering: Lowering, node: ControlNode<'scan'>): void {
  const { builder } = lowering
  const { body, num_consts, num_carry, length, reverse } = node.attrs
  const inputs = node.inputs.map((input) => lowering.view(input))
  const constants = inputs.slice(0, num_consts)
  const carry = startCarry(lowering, inputs.slice(num_consts, num_consts + num_carry), 'scan')
  const ys = node.outputs.slice(num_carry).map((output) => builder.allocate(output.dtype, output.shape))
  node.outputs.forEach((output, i) => {
    lowering.bind(output, i < num_carry ? carry[i] : ys[i - num_carry])
  })
  if (length === 0) return
  const counter = builder.counters++
  const bounds = [counter, length, 0]
  const first = builder.emit({ control: 'loop_begin', op: 'scan', ints: bounds })
  const windows = (views: readonly View[]): View[] =>
    views.map((view) => {
      const slice = slicesOf(lowering, view, counter, length, reverse)
      builder.emit({ control: 'move_slot', op: 'scan', out: [slice] })
      return slice
    })
  const xs = windows(inputs.slice(num_consts + num_carry))
  const yWindows = windows(ys)
  const results = lowering.graph(body, [...constants, ...carry, ...xs], [...carry.map(() => null), ...yWindows])
  yWindows.forEach((window, i) => {
    const result = results[num_carry + i]
    if (result.storage !== window.storage && sizeOf(window.shape) > 0) lowering.copy(result, window, 'scan')
  })
  updateCarry(lowering, results.slice(0, num_carry), carry, 'scan')
  const last = builder.emit({ control: 'loop_next', op: 'scan', ints: [counter, first] })
  bounds[2] = last + 1
  builder.regions.push({ first, last })
}
