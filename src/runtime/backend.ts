import type { Graph, Steps } from '../ir/index.js'
import type { Buffer } from './buffer.js'
import type { Profiler } from './profile.js'

/** The contract that every backend keeps. A backend is right when it agrees with the reference interpreter. */
export interface Backend {
  /** `interpreter`, `cpu`, ... */
  readonly name: string
  /** Human-readable facts for `kaimo doctor`: ISA, threads, and why. */
  describe(): Readonly<Record<string, string | number>>
  /** Compiles a closed graph, in small steps. The graph is not kept. */
  compile(graph: Graph, options?: CompileOptions): Steps<Executable>
  /** Times kernels; absent where a backend cannot. */
  readonly profiler?: Profiler
}

export interface CompileOptions {
  /** Name of the traced function, for messages and reports. */
  readonly name?: string
  /**
   * `donated[i]` is the index of the result that may take over the memory of parameter i (same shape and dtype), or -1.
   * The caller gives up its buffer at the call, whether or not the memory could be reused.
   */
  readonly donated?: readonly number[]
  /**
   * Parameters from this one on are state or captured values, not arguments: they come again unchanged unless they are donated, so a
   * backend may keep them in a form that suits its kernels. Default: none.
   */
  readonly stableFrom?: number
}

export interface RunOptions {
  /** Acts between instructions; the run then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** A submitted run. `outputs` can be handed to later runs of the same backend at once; their contents are defined when `done` resolves. */
export interface Run {
  readonly outputs: readonly Buffer[]
  /** Null when the run has finished already. Rejects with what went wrong. */
  readonly done: Promise<void> | null
}

export interface ExecutableReport {
  /** Native kernels in use, with counts. */
  readonly kernels: Readonly<Record<string, number>>
  /** Composites that ran by their body because the backend has no kernel for them, with counts. */
  readonly byBody: Readonly<Record<string, number>>
  /** Bytes of the arena that holds intermediates. */
  readonly arenaBytes: number
}

export interface Executable {
  readonly report: ExecutableReport
  /** Submits a run; buffers of `inputs` stay untouched by the caller until it is done. Runs of one backend execute in order of submission. */
  run(inputs: readonly Buffer[], options?: RunOptions): Run
  /** Runs and waits on the calling thread. */
  runSync(inputs: readonly Buffer[]): readonly Buffer[]
}
