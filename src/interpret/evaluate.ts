import {
  allocateArray,
  type Graph,
  isOp,
  type Node,
  type OpName,
  sizeOf,
  type TypedArray,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { allocateHost, asMovable, decode, encode, type HostArray } from './array.js'
import { type BinaryName, evaluateBinary, evaluateCompare, evaluateSelect } from './binary.js'
import { evaluateBitcast, evaluateConvert } from './cast.js'
import { evaluateConvolution, evaluateDot, evaluateReduceWindow } from './contract.js'
import { evaluateDynamicSlice, evaluateDynamicUpdateSlice, evaluateGather, evaluateScatter } from './indexing.js'
import * as movement from './movement.js'
import { evaluateReduce } from './reduce.js'
import { evaluateSort } from './sort.js'
import { evaluateUnary, type UnaryName } from './unary.js'

type Rule<K extends OpName> = (node: Node<K>, xs: readonly HostArray[]) => readonly HostArray[]

const unary = <K extends UnaryName>(node: Node<K>, xs: readonly HostArray[]): HostArray[] => [
  evaluateUnary(node.op, xs[0], node.outputs[0].dtype),
]

const binary = <K extends BinaryName>(node: Node<K>, xs: readonly HostArray[]): HostArray[] => [
  evaluateBinary(node.op, xs[0], xs[1], node.outputs[0].dtype),
]

const body = (node: Node<'call'> | Node<'composite'>, xs: readonly HostArray[]): readonly HostArray[] =>
  runPlan(planOf(node.attrs.body), xs)

function evaluateWhile({ attrs }: Node<'while'>, xs: readonly HostArray[]): readonly HostArray[] {
  let carry = xs
  while (runPlan(planOf(attrs.cond), carry)[0][0]) carry = runPlan(planOf(attrs.body), carry)
  return carry
}

function evaluateScan(node: Node<'scan'>, xs: readonly HostArray[]): readonly HostArray[] {
  const { num_consts, num_carry, length, reverse } = node.attrs
  const plan = planOf(node.attrs.body)
  const consts = xs.slice(0, num_consts)
  let carry = xs.slice(num_consts, num_consts + num_carry)
  const scanned = xs.slice(num_consts + num_carry)
  const widths = node.inputs.slice(num_consts + num_carry).map(({ shape }) => sizeOf(shape.slice(1)))
  const ys = node.outputs.slice(num_carry).map(({ dtype, shape }) => allocateHost(dtype, sizeOf(shape)))
  for (let step = 0; step < length; step++) {
    const i = reverse ? length - 1 - step : step
    const slices = scanned.map((x, k) => x.subarray(i * widths[k], (i + 1) * widths[k]))
    const results = runPlan(plan, [...consts, ...carry, ...slices])
    carry = results.slice(0, num_carry)
    ys.forEach((y, k) => {
      asMovable(y).set(asMovable(results[num_carry + k]), i * results[num_carry + k].length)
    })
  }
  return [...carry, ...ys]
}

const RULES: { readonly [K in OpName]: Rule<K> } = {
  parameter: () => {
    throw new Error('a parameter that the graph does not declare')
  },
  constant: (node) => [movement.evaluateConstant(node.attrs)],
  iota: (node) => [movement.evaluateIota(node.attrs)],

  negate: unary,
  abs: unary,
  sign: unary,
  floor: unary,
  ceil: unary,
  round_nearest_even: unary,
  exponential: unary,
  exponential_minus_one: unary,
  log: unary,
  log_plus_one: unary,
  sqrt: unary,
  rsqrt: unary,
  sine: unary,
  cosine: unary,
  tangent: unary,
  tanh: unary,
  erf: unary,
  erfc: unary,
  erf_inv: unary,
  lgamma: unary,
  digamma: unary,
  not: unary,

  convert: ({ inputs, attrs }, [x]) => [evaluateConvert(x, inputs[0].dtype, attrs.dtype)],
  bitcast_convert: ({ inputs, attrs }, [x]) => [evaluateBitcast(x, inputs[0].dtype, attrs.dtype)],

  add: binary,
  subtract: binary,
  multiply: binary,
  divide: binary,
  remainder: binary,
  power: binary,
  maximum: binary,
  minimum: binary,
  atan2: binary,
  and: binary,
  or: binary,
  xor: binary,
  shift_left: binary,
  shift_right_logical: binary,
  shift_right_arithmetic: binary,

  compare: ({ attrs }, [a, b]) => [evaluateCompare(attrs.direction, a, b)],
  select: ({ outputs }, [predicate, a, b]) => [evaluateSelect(predicate, a, b, outputs[0].dtype)],

  reshape: (_node, [x]) => [x],
  transpose: ({ inputs, attrs }, [x]) => [movement.evaluateTranspose(x, inputs[0], attrs.permutation)],
  broadcast_in_dim: ({ inputs, attrs }, [x]) => [movement.evaluateBroadcast(x, inputs[0], attrs)],
  slice: ({ inputs, attrs }, [x]) => [movement.evaluateSlice(x, inputs[0], attrs)],
  pad: ({ inputs, attrs }, [x, value]) => [movement.evaluatePad(x, value[0], inputs[0], attrs)],
  concatenate: ({ inputs, outputs, attrs }, xs) => [
    movement.evaluateConcatenate(xs, inputs, outputs[0], attrs.dimension),
  ],
  reverse: ({ inputs, attrs }, [x]) => [movement.evaluateReverse(x, inputs[0], attrs.dimensions)],

  gather: ({ inputs, outputs, attrs }, [x, indices]) => [evaluateGather(x, indices, inputs, outputs[0], attrs)],
  scatter: ({ inputs, attrs }, xs) => [evaluateScatter(xs, inputs, attrs)],
  dynamic_slice: ({ inputs, attrs }, xs) => [evaluateDynamicSlice(xs, inputs[0], attrs)],
  dynamic_update_slice: ({ inputs }, xs) => [evaluateDynamicUpdateSlice(xs, inputs)],
  sort: ({ inputs, attrs }, xs) => evaluateSort(xs, inputs, attrs),

  dot_general: ({ inputs, attrs }, xs) => [evaluateDot(xs, inputs, attrs)],
  convolution: ({ inputs, outputs, attrs }, xs) => [evaluateConvolution(xs, inputs, outputs[0], attrs)],
  reduce: ({ inputs, outputs, attrs }, [x]) => [evaluateReduce(x, inputs[0], outputs[0], attrs)],
  reduce_window: ({ inputs, outputs, attrs }, [x]) => [evaluateReduceWindow(x, inputs[0], outputs[0], attrs)],

  while: evaluateWhile,
  scan: evaluateScan,
  call: body,

  stop_gradient: (_node, xs) => xs,
  optimization_barrier: (_node, xs) => xs,
  composite: body,
}

interface Step {
  readonly node: Node
  readonly run: Rule<OpName>
  readonly inputs: readonly number[]
  readonly outputs: readonly number[]
  /** Slots that no later step reads. */
  readonly dead: readonly number[]
}

interface Plan {
  readonly slots: number
  readonly steps: readonly Step[]
  readonly results: readonly number[]
  /** Memory that belongs to the graph. */
  readonly constants: readonly ArrayBufferLike[]
}

const plans = new WeakMap<Graph, Plan>()

/** The steps of a graph, made once: loop bodies run many times. Parameters take the first slots. */
function planOf(graph: Graph): Plan {
  const known = plans.get(graph)
  if (known) return known
  const slotOf = new Map<Value, number>()
  for (const param of graph.params) slotOf.set(param, slotOf.size)
  const nodes = topologicalOrder(graph.results).filter(
    (node) => !(node.op === 'parameter' && slotOf.has(node.outputs[0])),
  )
  const lastReader = new Map<Value, Node>()
  for (const node of nodes) {
    for (const output of node.outputs) slotOf.set(output, slotOf.size)
    for (const input of node.inputs) lastReader.set(input, node)
  }
  for (const result of graph.results) lastReader.delete(result)
  const slot = (value: Value): number => slotOf.get(value) as number
  const steps = nodes.map((node) => {
    const dead = [...new Set(node.inputs)].filter((input) => lastReader.get(input) === node).map(slot)
    const rule = RULES[node.op] as unknown as Rule<OpName>
    return { node, run: rule, inputs: node.inputs.map(slot), outputs: node.outputs.map(slot), dead }
  })
  const constants = nodes.flatMap((node) => (isOp(node, 'constant') ? [node.attrs.data.buffer] : []))
  const plan = { slots: slotOf.size, steps, results: graph.results.map(slot), constants }
  plans.set(graph, plan)
  return plan
}

function runPlan(plan: Plan, params: readonly HostArray[]): HostArray[] {
  const values = new Array<HostArray | undefined>(plan.slots)
  params.forEach((param, i) => {
    values[i] = param
  })
  for (const step of plan.steps) {
    const outputs = step.run(
      step.node,
      step.inputs.map((i) => values[i] as HostArray),
    )
    for (let i = 0; i < step.outputs.length; i++) values[step.outputs[i]] = outputs[i]
    for (const i of step.dead) values[i] = undefined
  }
  return plan.results.map((i) => values[i] as HostArray)
}

/**
 * Runs a graph by the reference semantics (`semantics.ts`).
 * @param inputs one array a parameter, row-major, in the dtype's storage form; never written
 * @returns one new array a result, in storage form
 * @throws IndexError for a gather or scatter index out of bounds; Error for inputs that do not fill the parameters.
 */
export function evaluateGraph(graph: Graph, inputs: readonly TypedArray[]): TypedArray[] {
  if (inputs.length !== graph.params.length)
    throw new Error(`the graph takes ${graph.params.length} inputs, got ${inputs.length}`)
  const params = graph.params.map(({ dtype, shape }, i) => {
    if (inputs[i].length !== sizeOf(shape))
      throw new Error(
        `input ${i} has ${inputs[i].length} elements, ${dtype}[${shape.join(', ')}] needs ${sizeOf(shape)}`,
      )
    return decode(inputs[i], dtype)
  })
  const plan = planOf(graph)
  const taken = new Set<ArrayBufferLike>([...plan.constants, ...inputs.map((input) => input.buffer)])
  return runPlan(plan, params).map((value, i) => {
    const { dtype, shape } = graph.results[i]
    const result = encode(value, dtype)
    // Reshapes and the like share memory inside a run; results never do, neither with inputs nor with each other.
    const own = !taken.has(result.buffer) && result.buffer.byteLength === result.byteLength
    const out = own ? result : copyOf(result, allocateArray(dtype, sizeOf(shape)))
    taken.add(out.buffer)
    return out
  })
}

function copyOf(from: TypedArray, to: TypedArray): TypedArray {
  new Uint8Array(to.buffer).set(new Uint8Array(from.buffer, from.byteOffset, from.byteLength))
  return to
}
