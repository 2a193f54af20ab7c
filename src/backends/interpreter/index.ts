import { evaluateGraph } from '../../interpret/index.js'
import { type Graph, type Steps, sameShape, shapeText } from '../../ir/index.js'
import { runPasses, standardPasses } from '../../passes/index.js'
import type { Backend, Executable, ExecutableReport, Run, RunOptions } from '../../runtime/backend.js'
import { allocateBuffer, type Buffer, wrapArray } from '../../runtime/buffer.js'

class InterpreterExecutable implements Executable {
  readonly report: ExecutableReport

  constructor(
    private readonly graph: Graph,
    byBody: Readonly<Record<string, number>>,
  ) {
    this.report = { kernels: {}, byBody, arenaBytes: 0 }
  }

  /** Runs at once. A failure comes as a rejected `done`, as from a backend that works in the background. */
  run(inputs: readonly Buffer[], options: RunOptions = {}): Run {
    try {
      options.signal?.throwIfAborted()
      return { outputs: this.runSync(inputs), done: null }
    } catch (error) {
      const done = Promise.reject(error)
      done.catch(() => {})
      const outputs = this.graph.results.map(({ dtype, shape }) => allocateBuffer(dtype, shape))
      return { outputs, done }
    }
  }

  runSync(inputs: readonly Buffer[]): readonly Buffer[] {
    const { params, results } = this.graph
    inputs.forEach((input, i) => {
      const param = params[i]
      if (param && (input.dtype !== param.dtype || !sameShape(input.shape, param.shape))) {
        throw new TypeError(
          `input ${i} must be ${param.dtype}${shapeText(param.shape)}, got ${input.dtype}${shapeText(input.shape)}`,
        )
      }
    })
    const outputs = evaluateGraph(
      this.graph,
      inputs.map((input) => input.array),
    )
    return outputs.map((output, i) => wrapArray(output, results[i].dtype, results[i].shape))
  }
}

function* compile(traced: Graph): Steps<Executable> {
  const byBody: Record<string, number> = {}
  const count = (name: string): boolean => {
    byBody[name] = (byBody[name] ?? 0) + 1
    return false
  }
  return new InterpreterExecutable(yield* runPasses(traced, standardPasses(count)), byBody)
}

/** The reference: every op in TypeScript, one after the other, on the calling thread. */
export function createInterpreterBackend(): Backend {
  return {
    name: 'interpreter',
    describe: () => ({ engine: 'TypeScript reference interpreter', threads: 1 }),
    compile,
  }
}
