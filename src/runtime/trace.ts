import { apply, cloneWith, Graph, type Node, type Steps, topologicalOrder, type Value } from '../ir/index.js'
import type { Cell } from './cell.js'
import type { Flag } from './flag.js'

/**
 * `function`: a jit trace, which owns cell reads and writes.
 * `body`: a loop or composite body; cell reads belong to the trace around it, writes are refused.
 */
type TraceKind = 'function' | 'body'

const stack: Trace[] = []

export class Trace {
  readonly reads = new Map<Cell, Value>()
  readonly writes = new Map<Cell, Value>()
  /** Flags read while tracing, with the values that this trace holds for. */
  readonly flags = new Map<Flag<string | number | boolean>, string | number | boolean>()
  /** Host code that the traced function needs before each execution (step counters, schedules). */
  readonly hooks = new Set<() => void>()
  readonly firstId: number

  constructor(
    readonly kind: TraceKind,
    readonly name: string,
    readonly params: readonly Value[],
  ) {
    this.firstId = params.length > 0 ? params[0].node.id : apply('parameter', [], { shape: [], dtype: 'f32' }).node.id
  }

  readCell(cell: Cell, outer: Value): Value {
    const written = this.writes.get(cell)
    if (written) return written
    let value = this.reads.get(cell)
    if (!value) {
      value = apply('parameter', [], { shape: outer.shape, dtype: outer.dtype })
      this.reads.set(cell, value)
    }
    return value
  }

  writeCell(cell: Cell, value: Value): void {
    this.writes.set(cell, value)
  }
}

/**
 * Runs host code now and, while tracing, again before every later execution of the compiled program.
 * For what lives outside of the graph: step counters, learning-rate schedules.
 */
export function beforeEachRun(hook: () => void): void {
  const trace = traceOfCells()
  if (trace?.hooks.has(hook)) return
  trace?.hooks.add(hook)
  hook()
}

export const currentTrace = (): Trace | null => stack.at(-1) ?? null

/** The trace that owns cell accesses now, if any. */
export function traceOfCells(access: 'read' | 'write' = 'read'): Trace | null {
  if (access === 'write' && stack.at(-1)?.kind === 'body') {
    throw new Error(
      `state cannot be written inside the body of ${stack.at(-1)?.name}: return it as part of the carry and write it after the loop`,
    )
  }
  for (let i = stack.length - 1; i >= 0; i--) if (stack[i].kind === 'function') return stack[i]
  return null
}

/** Runs `fn` with `trace` on top of the stack. */
export function withTrace<T>(trace: Trace, fn: () => T): T {
  stack.push(trace)
  try {
    return fn()
  } finally {
    stack.pop()
  }
}

/** Whether a function gave its result in steps. */
export const isSteps = <T>(result: T | Steps<T>): result is Steps<T> =>
  typeof result === 'object' && result !== null && Object.prototype.toString.call(result) === '[object Generator]'

/** {@link withTrace} for what may come in steps: the trace is on the stack while one runs, not in the pauses. */
export function* withTraceSteps<T>(trace: Trace, fn: () => T | Steps<T>): Steps<T> {
  const result = withTrace(trace, fn)
  if (!isSteps(result)) return result
  for (;;) {
    const step = withTrace(trace, () => result.next())
    if (step.done) return step.value
    yield
  }
}

export interface Closed {
  /** Parameters: `params` of the trace, then one for each captured value. */
  readonly graph: Graph
  /** Values from outside that the traced function uses. */
  readonly captured: readonly Value[]
}

/** What reads of state make of it: like the reads themselves, it belongs to the trace around a loop's body. */
const ofState = new WeakSet<Node>()

export function belongsToState(node: Node): void {
  ofState.add(node)
}

const isConstant = (node: Node): boolean => node.op === 'constant' || node.op === 'iota'

/** Makes a traced function closed: everything it took from outside becomes a parameter after `params`. */
export function closeTrace(trace: Trace, params: readonly Value[], results: readonly Value[]): Closed {
  const declared = new Set(params)
  const outside = (node: Node): boolean =>
    !isConstant(node) &&
    !node.outputs.some((output) => declared.has(output)) &&
    (node.id < trace.firstId || node.op === 'parameter' || (trace.kind === 'body' && ofState.has(node)))
  const captured = new Map<Value, Value>()
  const replacements = new Map<Value, Value>()
  const fresh = params.map((param) => {
    const copy = apply('parameter', [], { shape: param.shape, dtype: param.dtype })
    replacements.set(param, copy)
    return copy
  })
  const capture = (value: Value): void => {
    if (captured.has(value) || !outside(value.node)) return
    const param = apply('parameter', [], { shape: value.shape, dtype: value.dtype })
    captured.set(value, param)
    replacements.set(value, param)
  }
  for (const result of results) capture(result)
  for (const node of topologicalOrder(results, outside)) if (!outside(node)) node.inputs.forEach(capture)
  const cloned = cloneWith(results, replacements, outside)
  return { graph: new Graph([...fresh, ...captured.values()], cloned), captured: [...captured.keys()] }
}
