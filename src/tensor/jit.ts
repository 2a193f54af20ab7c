import { apply, finish, type Graph, printGraph, type Steps, type Value } from '../ir/index.js'
import {
  type Buffer,
  type Cell,
  closeTrace,
  compileGraph,
  compileSubmission,
  currentBackend,
  currentTrace,
  type Executable,
  type ExecutableReport,
  type Flag,
  finishInSlices,
  isSteps,
  leafValue,
  submit,
  Trace,
  trackRun,
  withTraceSteps,
} from '../runtime/index.js'
import { Tensor } from './tensor.js'
import { type FlatTree, flattenTree, isTensor } from './tree.js'

export interface JitOptions {
  /** Shown in errors and reports; default: the function's name. */
  readonly name?: string
  /** Programs kept for different shapes, dtypes, static arguments and modes. */
  readonly cacheSize?: number
}

interface Program {
  readonly graph: Graph
  readonly flags: ReadonlyMap<Flag<string | number | boolean>, string | number | boolean>
  /** Cells read: parameters after the arguments. */
  readonly reads: readonly Cell[]
  /** Values from outside: parameters after the cells. */
  readonly captured: readonly Value[]
  readonly writes: readonly Cell[]
  readonly donated: readonly number[]
  /** Number of arguments: state and captured values follow them. */
  readonly args: number
  readonly output: FlatTree<Tensor>
  /** Host code to run before each execution. */
  readonly hooks: ReadonlySet<() => void>
  /** True until the first execution: tracing ran the hooks already. */
  fresh: boolean
}

function* trace(fn: (...args: never[]) => unknown, name: string, args: FlatTree<Tensor>): Steps<Program> {
  const params = args.leaves.map((leaf) => apply('parameter', [], { shape: leaf.shape, dtype: leaf.dtype }))
  const context = new Trace('function', name, params)
  const traced = args.rebuild(params.map((param) => new Tensor(param))) as never[]
  const result = yield* withTraceSteps(context, () => fn(...traced))
  if (result instanceof Promise)
    throw new TypeError(`${name}: a compiled function must not be async; await outside of it`)
  const output = flattenTree(result, isTensor)
  yield
  const reads = [...context.reads.keys()]
  const writes = [...context.writes.keys()]
  const results = [...output.leaves.map((leaf) => leaf.value), ...context.writes.values()]
  const closed = closeTrace(context, [...params, ...context.reads.values()], results)
  const donated = [
    ...params.map(() => -1),
    ...reads.map((cell) => (writes.includes(cell) ? output.leaves.length + writes.indexOf(cell) : -1)),
    ...closed.captured.map(() => -1),
  ]
  return {
    graph: closed.graph,
    flags: context.flags,
    reads,
    captured: closed.captured,
    writes,
    donated,
    args: params.length,
    output,
    hooks: context.hooks,
    fresh: true,
  }
}

/** A buffer that is also read under another name cannot be updated in place. */
function safeDonations(donated: readonly number[], inputs: readonly Buffer[]): readonly number[] {
  const uses = new Map<Buffer, number>()
  for (const input of inputs) uses.set(input, (uses.get(input) ?? 0) + 1)
  return donated.some((result, i) => result >= 0 && uses.get(inputs[i]) !== 1)
    ? donated.map((result, i) => (uses.get(inputs[i]) === 1 ? result : -1))
    : donated
}

const compiled = new WeakMap<Graph, Map<string, Executable>>()

function* executableFor(program: Program, donated: readonly number[], name: string): Steps<Executable> {
  const backend = currentBackend()
  const key = `${backend.name}#${donated === program.donated ? '' : donated.join()}`
  let byKey = compiled.get(program.graph)
  if (!byKey) {
    byKey = new Map()
    compiled.set(program.graph, byKey)
  }
  let executable = byKey.get(key)
  if (!executable) {
    executable = yield* compileGraph(backend, program.graph, name, donated, program.args)
    byKey.set(key, executable)
  }
  return executable
}

const inputsOf = (program: Program, args: FlatTree<Tensor>): Value[] => [
  ...args.leaves.map((leaf) => leaf.value),
  ...program.reads.map((cell) => cell.outer),
  ...program.captured,
]

function execute(program: Program, args: FlatTree<Tensor>, name: string): unknown {
  if (!program.fresh) for (const hook of program.hooks) hook()
  program.fresh = false
  const inputs = submit(inputsOf(program, args))
  const donated = safeDonations(program.donated, inputs)
  const run = finish(executableFor(program, donated, name)).run(inputs)
  trackRun(run, inputs)
  donated.forEach((result, i) => {
    if (result >= 0) inputs[i].release('donated')
  })
  const results = run.outputs.slice(0, program.output.leaves.length).map((buffer) => new Tensor(leafValue(buffer)))
  program.writes.forEach((cell, i) => {
    cell.adopt(run.outputs[program.output.leaves.length + i])
  })
  return program.output.rebuild(results)
}

export interface Jitted<A extends unknown[], R> {
  (...args: A): R
  /**
   * The same call; where a program must be traced and compiled first, that is done in slices, between which the event loop gets its
   * turn. The result comes at once where there is a program already.
   */
  inSlices(...args: A): R | Promise<R>
  /** Graph of the program that these arguments select, as text. */
  print(...args: A): string
  /** What the compiled program runs, kernel by kernel. */
  report(...args: A): ExecutableReport
  /** Programs compiled so far. */
  readonly programs: number
}

const programKey = ({ structure, leaves }: FlatTree<Tensor>): string =>
  `${structure}|${leaves.map((leaf) => `${leaf.dtype}[${leaf.shape.join()}]`).join(';')}`

const settled = <R>(result: R | Steps<R>): R => (isSteps(result) ? finish(result) : result)

const holds = (program: Program): boolean => [...program.flags].every(([flag, value]) => flag.get() === value)

/**
 * Compiles `fn` into one program per combination of tree structure, shapes, dtypes and static arguments. Tensors are inputs; numbers,
 * strings and the like are static. State that `fn` reads and writes (parameters, random counters) becomes hidden inputs and outputs,
 * updated in place. Returns pending tensors at once; errors surface at the read.
 * A generator function is traced in steps: it yields where `inSlices` may pause, outside of any other function that runs by a trace.
 * @throws TracedReadError when `fn` reads a value, Error naming `fn` when it is called with ever new static arguments.
 */
export function jit<A extends unknown[], R>(fn: (...args: A) => R | Steps<R>, options: JitOptions = {}): Jitted<A, R> {
  const name = options.name ?? (fn.name || 'a compiled function')
  const limit = options.cacheSize ?? 64
  const programs = new Map<string, Program[]>()
  let count = 0
  const known = (key: string): Program | undefined => programs.get(key)?.find(holds)
  function* select(key: string, args: FlatTree<Tensor>): Steps<Program> {
    if (++count > limit) {
      throw new Error(
        `${name} was compiled for ${limit} different combinations of shapes and static arguments; ` +
          'pass changing numbers as tensors, pad to fewer shapes, or raise cacheSize',
      )
    }
    const program = yield* trace(fn as (...args: never[]) => unknown, name, args)
    programs.set(key, [...(programs.get(key) ?? []), program])
    return program
  }
  const programOf = (flat: FlatTree<Tensor>): Program => {
    const key = programKey(flat)
    return known(key) ?? finish(select(key, flat))
  }
  /** Tracing and compiling, so that the call finds all it needs. */
  function* warm(key: string, flat: FlatTree<Tensor>): Steps<void> {
    const program = yield* select(key, flat)
    yield* executableFor(program, program.donated, name)
    yield* compileSubmission(inputsOf(program, flat))
  }
  const call = (...args: A): R => {
    if (currentTrace()) return settled(fn(...args))
    const flat = flattenTree(args, isTensor)
    return execute(programOf(flat), flat, name) as R
  }
  const others = {
    inSlices: (...args: A): R | Promise<R> => {
      if (currentTrace()) return settled(fn(...args))
      const flat = flattenTree(args, isTensor)
      const key = programKey(flat)
      const program = known(key)
      if (program) return execute(program, flat, name) as R
      return finishInSlices(warm(key, flat)).then(() => execute(programOf(flat), flat, name) as R)
    },
    print: (...args: A) => printGraph(programOf(flattenTree(args, isTensor)).graph),
    report: (...args: A) => {
      const program = programOf(flattenTree(args, isTensor))
      return finish(executableFor(program, program.donated, name)).report
    },
  }
  return Object.defineProperty(Object.assign(call, others), 'programs', { get: () => count }) as Jitted<A, R>
}
