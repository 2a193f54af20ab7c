import {
  type DType,
  dtypeBytes,
  finish,
  type Graph,
  isOp,
  NODES_A_STEP,
  type Node,
  type OpAttrs,
  type OpName,
  type Shape,
  type Steps,
  sizeOf,
  type Value,
} from '../../ir/index.js'
import { splitBatchNorm } from '../../passes/batch-norm.js'
import { absorbEpilogues } from '../../passes/epilogue.js'
import { groupElementwise } from '../../passes/group.js'
import { mergeLosses } from '../../passes/merge-losses.js'
import { executionOrder, recompute } from '../../passes/recompute.js'
import { absorbSums } from '../../passes/sums.js'
import { swapTransposedDots } from '../../passes/swap-dots.js'
import { compileCluster, mergeDims, readsFarApart } from './cluster.js'
import {
  convolutionOrder,
  type DimOrder,
  followedOperands,
  isAscending,
  memoryOrder,
  orderedView,
  valuesForConvolutions,
} from './layout.js'
import { donationOrder } from './order.js'
import { type InPlace, ProgramBuilder } from './program.js'
import { RULES } from './rules.js'
import {
  broadcastView,
  coversStorage,
  denseView,
  isDense,
  reshapeView,
  reverseView,
  type Storage,
  sliceView,
  transposeView,
  type View,
} from './view.js'

/** A rule of {@link RULES} emits the instructions of one op. */
export type LowerRule<K extends OpName> = (lowering: Lowering, node: Node & { attrs: OpAttrs[K] }) => void

/** What lowering asks of the native addon. */
export interface NativeTables {
  readonly kernels: ReadonlyMap<string, number>
  readonly opcodes: ReadonlyMap<string, number>
}

/** A loop-carried value that its body might write in place, and the copy that this would save. */
export interface Carry {
  readonly result: Storage
  readonly carry: Storage
  readonly copy: number
}

/** Turns graphs into instructions. Movement ops become views; kernels read any strides. */
export class Lowering {
  readonly builder = new ProgramBuilder()
  readonly carries: Carry[] = []
  private readonly views = new Map<Value, View>()
  private readonly targets = new Map<Value, View>()
  private denseCopies = new Map<Value, View>()
  /** Copies in another order of dims than that of the value, the last one made of each. */
  private orderedCopies = new Map<Value, View>()
  /** Memory whose dims lie in an order of their own. */
  private readonly ordered = new Set<Storage>()
  private forConvolutions: ReadonlySet<Value> = new Set()

  constructor(readonly native: NativeTables) {}

  view(value: Value): View {
    const view = this.views.get(value)
    if (!view) throw new Error(`lowering: ${value.node.op} has no memory yet`)
    return view
  }

  bind(value: Value, view: View): void {
    this.views.set(value, view)
    this.denseCopies.delete(value)
    this.orderedCopies.delete(value)
  }

  /**
   * Memory for a result that a kernel fills: where it is wanted in the end, if that is known, else in the arena, its dims in `order`
   * where the kernel gives one ({@link orderOf}).
   */
  result(value: Value, order: DimOrder | null = null): View {
    const { dtype, shape } = value
    const view =
      this.targets.get(value) ?? (order ? this.inOrder(dtype, shape, order) : this.builder.allocate(dtype, shape))
    this.views.set(value, view)
    return view
  }

  private inOrder(dtype: DType, shape: Shape, order: DimOrder): View {
    const storage = this.builder.arena(sizeOf(shape) * dtypeBytes(dtype))
    this.ordered.add(storage)
    return orderedView(storage, dtype, shape, order)
  }

  /** The order in which a value lies in memory, null where that is the order of its dims. */
  private foreignOrder(value: Value): DimOrder | null {
    const view = this.view(value)
    const order = this.ordered.has(view.storage) ? memoryOrder(view) : null
    return order && isAscending(order) ? null : order
  }

  /**
   * The order in memory that the first result of `node` should have: that of most of the operands that decide, or, for a convolution
   * whose result others read, features innermost. Null for the order of the dims.
   */
  orderOf(node: Node): DimOrder | null {
    const [output] = node.outputs
    const rank = output.shape.length
    if (rank < 3 || this.targets.has(output)) return null
    const own = this.forConvolutions.has(output)
      ? convolutionOrder(node, (value) => this.foreignOrder(value) !== null)
      : null
    if (own) return own
    let best: DimOrder | null = null
    let [ordered, plain] = [0, 0]
    for (const operand of followedOperands(node) ?? []) {
      const view = this.view(operand)
      const whole = view.shape.length === rank && view.strides.every((stride, d) => stride !== 0 || view.shape[d] === 1)
      if (!whole) continue
      const order = this.foreignOrder(operand)
      const bytes = sizeOf(view.shape) * dtypeBytes(view.dtype)
      if (!order) plain += bytes
      else {
        best ??= order
        ordered += bytes
      }
    }
    return ordered >= plain ? best : null
  }

  /** Has the kernel behind `value` write into `target`; false where no kernel of this graph does, or another target came first. */
  aim(value: Value, target: View, graph: ReadonlySet<Node>): boolean {
    let base = value
    while (passesOn(base.node)) base = base.node.inputs[0]
    if (!graph.has(base.node) || !ownsMemory(base.node) || this.targets.has(base)) return false
    this.targets.set(base, denseView(target.storage, base.dtype, base.shape))
    return true
  }

  kernel(
    kernel: string,
    op: string,
    inputs: View[],
    outputs: View[],
    ints: number[] = [],
    inPlace: InPlace[] = [],
  ): number {
    return this.builder.emit({ kernel, op, in: inputs, out: outputs, ints, inPlace })
  }

  copy(from: View, to: View, op: string): number {
    const [out, input] = mergeDims([to, from])
    return this.kernel('copy', op, [input], [out])
  }

  /** A dense copy of a value, made once. */
  dense(value: Value, op: string): View {
    const view = this.view(value)
    if (isDense(view)) return view
    let copied = this.denseCopies.get(value)
    if (!copied) {
      copied = this.builder.allocate(value.dtype, value.shape)
      this.copy(view, copied, op)
      this.denseCopies.set(value, copied)
    }
    return copied
  }

  /** A copy of a value with its dims in `order`. */
  private arranged(value: Value, order: DimOrder): View {
    if (isAscending(order)) return this.dense(value, 'transpose')
    const known = this.orderedCopies.get(value)
    if (known && memoryOrder(known).every((dim, i) => dim === order[i])) return known
    const copied = this.inOrder(value.dtype, value.shape, order)
    this.copy(this.view(value), copied, 'transpose')
    this.orderedCopies.set(value, copied)
    return copied
  }

  /** Emits the graph of a loop's body, or of a call: {@link steps} at once. */
  graph(graph: Graph, params: readonly View[], targets: readonly (View | null)[] = []): View[] {
    return finish(this.steps(graph, params, targets, []))
  }

  /** Emits a graph with its parameters bound to `params`; returns the views of its results. */
  *steps(
    graph: Graph,
    params: readonly View[],
    targets: readonly (View | null)[],
    donated: readonly number[],
  ): Steps<View[]> {
    const contracted = yield* absorbEpilogues(yield* swapTransposedDots(yield* mergeLosses(graph)))
    const split = yield* splitBatchNorm(yield* absorbSums(contracted))
    const grouped = yield* recompute(yield* groupElementwise(split))
    grouped.params.forEach((param, i) => {
      this.bind(param, params[i])
    })
    yield
    const order = donationOrder(executionOrder(grouped), grouped, donated)
    const members = new Set(order)
    grouped.results.forEach((result, i) => {
      const target = targets[i]
      if (target) this.aim(result, target, members)
    })
    // Copies made in a loop body exist in that body alone.
    const outer = [this.denseCopies, this.orderedCopies, this.forConvolutions] as const
    this.denseCopies = new Map(this.denseCopies)
    this.orderedCopies = new Map(this.orderedCopies)
    this.forConvolutions = valuesForConvolutions(order)
    for (const [i, node] of order.entries()) {
      if (i % NODES_A_STEP === 0) yield
      this.node(node)
    }
    ;[this.denseCopies, this.orderedCopies, this.forConvolutions] = outer
    return grouped.results.map((result) => this.view(result))
  }

  private node(node: Node): void {
    if (node.op === 'parameter') return
    const rule = RULES[node.op] as LowerRule<OpName>
    rule(this, node as Node & { attrs: OpAttrs[OpName] })
  }

  /** Elementwise ops of one shape as one instruction. */
  cluster(node: Node, body: Graph): void {
    const order = this.orderOf(node)
    const outputs = node.outputs.map((output) => this.result(output, order))
    if (sizeOf(node.outputs[0].shape) === 0) return
    const inputs = node.inputs.map((input) => {
      const view = this.view(input)
      if (!readsFarApart(mergeDims([outputs[0], view])[1])) return view
      return this.arranged(input, memoryOrder(outputs[0]))
    })
    const code = compileCluster(body, (name) => {
      const opcode = this.native.opcodes.get(name)
      if (opcode === undefined) throw new Error(`the native addon has no elementwise operation '${name}'`)
      return opcode
    })
    const merged = mergeDims([...outputs, ...inputs])
    const outs = merged.slice(0, outputs.length)
    const ins = merged.slice(outputs.length)
    const inPlace: InPlace[] = []
    outs.forEach((out, o) => {
      ins.forEach((input, i) => {
        if (dtypeBytes(out.dtype) === dtypeBytes(input.dtype) && coversStorage(out)) inPlace.push({ out: o, in: i })
      })
    })
    this.kernel('elementwise', code.op, ins, outs, code.ints, inPlace)
  }

  movement(node: Node): View | null {
    const view = this.view(node.inputs[0])
    if (isOp(node, 'reshape')) return reshapeView(view, node.attrs.shape)
    if (isOp(node, 'transpose')) return transposeView(view, node.attrs.permutation)
    if (isOp(node, 'broadcast_in_dim')) return broadcastView(view, node.attrs)
    if (isOp(node, 'slice')) return sliceView(view, node.attrs)
    if (isOp(node, 'reverse')) return reverseView(view, node.attrs.dimensions)
    return view
  }
}

/** Ops whose result is their operand's memory in the same order. */
const passesOn = (node: Node): boolean => node.op === 'reshape' || node.op === 'stop_gradient'

const VIEWS = new Set<OpName>([
  'parameter',
  'constant',
  'transpose',
  'broadcast_in_dim',
  'slice',
  'reverse',
  'reshape',
  'stop_gradient',
  'optimization_barrier',
  'while',
  'scan',
  'call',
])

/** True for nodes whose rule takes memory with {@link Lowering.result} for every output. */
const ownsMemory = (node: Node): boolean => !VIEWS.has(node.op)
