import { dtypeBytes, type Graph, type Node, sizeOf, topologicalOrder, type Value } from '../../ir/index.js'
import { memoryOrder } from './layout.js'
import { isWide, opcodesOf, pairOpcode } from './opcodes.js'
import type { View } from './view.js'

/** Bytecode of the `elementwise` kernel: see native/kernels/elementwise.h. */
export interface ClusterCode {
  readonly ints: number[]
  /** Names of the ops, for messages. */
  readonly op: string
}

/** Hands out registers; a register is free again after the last instruction that reads it. */
class Registers {
  private readonly free: number[] = []
  count: number

  constructor(inputs: number) {
    this.count = inputs
  }

  take(): number {
    return this.free.pop() ?? this.count++
  }

  /** One that was never written: outputs may lie over inputs that are still to be read. */
  takeFresh(): number {
    return this.count++
  }

  give(register: number): void {
    this.free.push(register)
  }
}

class ClusterEmitter {
  readonly code: number[] = []
  private readonly registerOf = new Map<Value, number>()
  private readonly registers: Registers
  /** How often each value is still to be read; outputs are never freed. */
  private readonly reads = new Map<Value, number>()
  /** Values that share a register because an op between them changes nothing. */
  private readonly holders = new Map<number, number>()

  /** For an op that takes in the one before it: that operand's place. */
  private readonly pairs = new Map<Node, number>()
  private readonly absorbed = new Set<Node>()

  constructor(
    private readonly body: Graph,
    private readonly opcode: (name: string) => number,
  ) {
    this.registers = new Registers(body.params.length)
    body.params.forEach((param, i) => {
      this.registerOf.set(param, i)
    })
    for (const node of topologicalOrder(body.results)) {
      for (const input of node.inputs) this.reads.set(input, (this.reads.get(input) ?? 0) + 1)
    }
    for (const result of body.results) this.reads.set(result, Number.POSITIVE_INFINITY)
    for (const node of topologicalOrder(body.results)) this.findPair(node)
  }

  /** Two ops become one pass where nothing else reads the result between them. */
  private findPair(node: Node): void {
    const at = node.inputs.findIndex((input, i) => {
      const { node: first } = input
      return this.reads.get(input) === 1 && !this.pairs.has(first) && pairOpcode(first, node, i) !== null
    })
    if (at < 0) return
    this.pairs.set(node, at)
    this.absorbed.add(node.inputs[at].node)
  }

  private emitPair(value: Value, at: number): void {
    const { node } = value
    const first = node.inputs[at].node
    const operands = [...first.inputs, node.inputs[1 - at]]
    const registers = operands.map((operand) => this.register(operand))
    for (const operand of operands) this.finishRead(operand)
    this.push(pairOpcode(first, node, at) ?? '', this.target(value), registers)
  }

  /** A register for a new value. */
  private target(value: Value): number {
    const isResult = this.reads.get(value) === Number.POSITIVE_INFINITY
    const target = isResult ? this.registers.takeFresh() : this.registers.take()
    this.holders.set(target, 1)
    this.registerOf.set(value, target)
    return target
  }

  private register(value: Value): number {
    const register = this.registerOf.get(value)
    if (register === undefined) throw new Error(`cluster: %${value.node.op} is not in a register`)
    return register
  }

  private finishRead(value: Value): void {
    const left = (this.reads.get(value) ?? 0) - 1
    this.reads.set(value, left)
    if (left > 0) return
    const register = this.register(value)
    if (register < this.body.params.length) return
    const holders = (this.holders.get(register) ?? 1) - 1
    this.holders.set(register, holders)
    if (holders === 0) this.registers.give(register)
  }

  private push(name: string, target: number, operands: readonly number[]): void {
    const [a, b = a, c = a] = operands
    this.code.push(this.opcode(name), target, a, b, c)
  }

  emit(value: Value): void {
    const { node } = value
    if (this.absorbed.has(node)) return
    const pair = this.pairs.get(node)
    if (pair !== undefined) this.emitPair(value, pair)
    else this.emitOne(value)
  }

  private emitOne(value: Value): void {
    const { node } = value
    const { before = [], chain } = opcodesOf(node)
    const operands = node.inputs.map((input) => this.register(input))
    const isResult = this.reads.get(value) === Number.POSITIVE_INFINITY
    if (chain.length === 0 && !isResult) {
      this.registerOf.set(value, operands[0])
      this.holders.set(operands[0], (this.holders.get(operands[0]) ?? 1) + 1)
      this.finishRead(node.inputs[0])
      return
    }
    // Registers of read-out operands may be written at once: every operation works value by value. Lanes of another width, and chains
    // that write before they have read everything, need a register of their own.
    const oneWidth = node.inputs.every((input) => isWide(input.dtype) === isWide(value.dtype))
    const early = oneWidth && before.length === 0
    if (early) for (const input of node.inputs) this.finishRead(input)
    const target = this.target(value)
    let first = operands[0]
    for (const name of before) {
      this.push(name, target, [first])
      first = target
    }
    const steps = chain.length > 0 ? chain : [isWide(value.dtype) ? 'copy.8' : 'copy.4']
    steps.forEach((name, i) => {
      this.push(name, target, i === 0 ? [first, ...operands.slice(1)] : [target])
    })
    if (!early) for (const input of node.inputs) this.finishRead(input)
  }

  /** Registers of the results. */
  finish(): number[] {
    return this.body.results.map((result) => this.register(result))
  }

  get registerCount(): number {
    return this.registers.count
  }
}

/** Compiles the body of a cluster. `opcode` finds the number of an operation by name. */
export function compileCluster(body: Graph, opcode: (name: string) => number): ClusterCode {
  const emitter = new ClusterEmitter(body, opcode)
  const ops: string[] = []
  let wide = body.params.some((param) => isWide(param.dtype))
  for (const node of topologicalOrder(body.results)) {
    if (node.op === 'parameter') continue
    emitter.emit(node.outputs[0])
    wide ||= isWide(node.outputs[0].dtype)
    if (!ops.includes(node.op)) ops.push(node.op)
  }
  const outputs = emitter.finish()
  const count = emitter.code.length / 5
  return {
    ints: [emitter.registerCount, wide ? 1 : 0, count, ...emitter.code, ...outputs],
    op: ops.slice(0, 4).join('+') + (ops.length > 4 ? '+...' : ''),
  }
}

/**
 * The views of one loop in the order in which the first lies in memory, with dims of extent 1 dropped and neighbours merged wherever every
 * view allows it, so that the inner loop is as long as can be.
 */
export function mergeDims(views: readonly View[]): View[] {
  const { shape } = views[0]
  const dims = memoryOrder(views[0]).filter((d) => shape[d] !== 1)
  const extents: number[] = []
  const strides: number[][] = views.map(() => [])
  for (const d of dims) {
    const top = extents.length - 1
    const merges = top >= 0 && views.every((view, i) => strides[i][top] === view.strides[d] * shape[d])
    if (merges) {
      extents[top] *= shape[d]
      views.forEach((view, i) => {
        strides[i][top] = view.strides[d]
      })
    } else {
      extents.push(shape[d])
      views.forEach((view, i) => {
        strides[i].push(view.strides[d])
      })
    }
  }
  return views.map((view, i) => ({ ...view, shape: extents, strides: strides[i] }))
}

/** Below this many elements a strided read costs less than the copy that would avoid it. */
const COPY_FROM = 2048

/** True for an input that the inner loop would read element by element from far apart: a large transposed view. */
export function readsFarApart(view: View): boolean {
  const inner = view.strides.length - 1
  if (inner < 0 || sizeOf(view.shape) < COPY_FROM) return false
  return Math.abs(view.strides[inner]) * dtypeBytes(view.dtype) > 32 && view.shape[inner] > 1
}
