import {
  allocateArray,
  arrayConstructor,
  type DType,
  dtypeBytes,
  type Graph,
  type Shape,
  type ShapeDType,
  type Steps,
  sameShape,
  shapeText,
  sizeOf,
  type TypedArray,
} from '../../ir/index.js'
import { type KeepComposite, runPasses, standardPasses } from '../../passes/index.js'
import type { Backend, CompileOptions, Executable, ExecutableReport, Run, RunOptions } from '../../runtime/backend.js'
import { Buffer } from '../../runtime/buffer.js'
import { loadAddon, type NativeAddon, type NativeFailure, type NativeInfo, type NativeProgram } from './addon.js'
import { type CompiledProgram, compileProgram } from './compile.js'
import { runsNatively } from './composites.js'
import { describeFailure } from './errors.js'
import type { NativeTables } from './lower.js'
import { PackCache } from './packs.js'
import { CpuProfiler } from './profiler.js'

export { NativeUnavailableError } from './addon.js'

const ALIGNMENT = 64

/** Alignment pays from a few cache lines on. */
const SMALL = 1024

/** V8-owned memory, uninitialised and starting on a cache line where it is large. */
function allocateAligned(addon: NativeAddon, dtype: DType, shape: Shape): TypedArray {
  const length = sizeOf(shape)
  const bytes = length * dtypeBytes(dtype)
  if (bytes <= SMALL) return allocateArray(dtype, length)
  const memory = globalThis.Buffer.allocUnsafeSlow(bytes + ALIGNMENT)
  const array = arrayConstructor(dtype)
  return new array(memory.buffer, addon.alignment(new Uint8Array(memory.buffer)), length)
}

class CpuExecutable implements Executable {
  readonly report: ExecutableReport
  private readonly native: NativeProgram
  private readonly params: readonly ShapeDType[]
  private readonly results: readonly ShapeDType[]
  private readonly takesOver: readonly number[]
  private readonly instructions: CompiledProgram['instructions']
  private readonly packable: readonly number[]
  private readonly packed: CompiledProgram['packed']
  private readonly known: { readonly name: string; readonly instructions: CompiledProgram['instructions'] }
  private packedNative: NativeProgram | null = null
  private knownPacked: CpuExecutable['known'] | null = null

  constructor(
    private readonly addon: NativeAddon,
    private readonly name: string,
    graph: Graph,
    program: CompiledProgram,
    byBody: Readonly<Record<string, number>>,
    private readonly packs: PackCache,
    private readonly profiler: CpuProfiler,
  ) {
    const plain = ({ dtype, shape }: ShapeDType): ShapeDType => ({ dtype, shape })
    this.params = graph.params.map(plain)
    this.results = graph.results.map(plain)
    this.takesOver = program.takesOver
    this.instructions = program.instructions
    this.packable = program.packable
    this.packed = program.packed
    this.native = addon.compile(program.code, program.constants)
    this.known = { name, instructions: program.instructions }
    profiler.know(this.native, this.known)
    this.report = { kernels: program.kernels, byBody, arenaBytes: program.arenaBytes }
  }

  run(inputs: readonly Buffer[], { signal }: RunOptions = {}): Run {
    const stop = new Int32Array(1)
    const packing: Promise<void>[] = []
    const packs = this.packsOf(inputs, (program, arrays, buffer) => {
      const packed = this.addon.run(program, arrays, new Int32Array(1)).then((failure) => {
        if (failure) this.packs.forget(buffer)
        this.check(failure)
      })
      packed.catch(() => {})
      packing.push(packed)
    })
    const { arrays, outputs } = this.bind(inputs, packs)
    if (signal?.aborted) stop[0] = 1
    const onAbort = (): void => {
      stop[0] = 1
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    const finished = this.addon.run(this.nativeFor(packs), arrays, stop).then((failure) => {
      signal?.removeEventListener('abort', onAbort)
      this.check(failure, signal)
    })
    const done = packing.length > 0 ? Promise.all([...packing, finished]).then(() => {}) : finished
    done.catch(() => {})
    return { outputs, done }
  }

  runSync(inputs: readonly Buffer[]): readonly Buffer[] {
    const packs = this.packsOf(inputs, (program, arrays, buffer) => {
      const failure = this.addon.runSync(program, arrays)
      if (failure) this.packs.forget(buffer)
      this.check(failure)
    })
    const { arrays, outputs } = this.bind(inputs, packs)
    this.check(this.addon.runSync(this.nativeFor(packs), arrays))
    return outputs
  }

  /** Packed right operands, once all of them have been read unchanged by a few runs; before that none. */
  private packsOf(
    inputs: readonly Buffer[],
    submit: (program: NativeProgram, arrays: [TypedArray, TypedArray], buffer: Buffer) => void,
  ): readonly TypedArray[] {
    const { packed, packable } = this
    if (!packed || inputs.length !== this.params.length) return []
    let ready = true
    for (const param of packable) ready = this.packs.use(inputs[param]) && ready
    if (!ready) return []
    return packed.packs.map((pack) => {
      const buffer = inputs[pack.param]
      return this.packs.get(buffer, pack, (program, arrays) => submit(program, arrays, buffer))
    })
  }

  private nativeFor(packs: readonly TypedArray[]): NativeProgram {
    if (packs.length === 0 || !this.packed) return this.native
    if (!this.packedNative) {
      this.packedNative = this.addon.compile(this.packed.code, this.packed.constants)
      this.knownPacked = { name: this.name, instructions: this.packed.instructions }
      this.profiler.know(this.packedNative, this.knownPacked)
    }
    return this.packedNative
  }

  private bind(inputs: readonly Buffer[], packs: readonly TypedArray[]): { arrays: TypedArray[]; outputs: Buffer[] } {
    if (inputs.length !== this.params.length) {
      throw new TypeError(`${this.name}: takes ${this.params.length} inputs, got ${inputs.length}`)
    }
    const arrays = inputs.map((input, i) => {
      const param = this.params[i]
      if (input.dtype !== param.dtype || !sameShape(input.shape, param.shape)) {
        throw new TypeError(
          `${this.name}: input ${i} must be ${param.dtype}${shapeText(param.shape)}, got ${input.dtype}${shapeText(input.shape)}`,
        )
      }
      return input.array
    })
    arrays.push(...packs)
    const outputs = this.results.map(({ dtype, shape }, i) => {
      const from = this.takesOver[i]
      const array = from >= 0 ? arrays[from] : allocateAligned(this.addon, dtype, shape)
      arrays.push(array)
      return new Buffer(dtype, shape, array)
    })
    return { arrays, outputs }
  }

  private check(failure: NativeFailure, signal?: AbortSignal): void {
    if (failure) throw describeFailure(failure, this.name, this.instructions, signal)
  }
}

class CpuBackend implements Backend {
  readonly name = 'cpu'
  private readonly tables: NativeTables
  private readonly packs: PackCache
  readonly profiler: CpuProfiler

  constructor(
    private readonly addon: NativeAddon,
    private readonly info: NativeInfo,
  ) {
    const positions = (names: readonly string[]): Map<string, number> => new Map(names.map((name, i) => [name, i]))
    this.tables = { kernels: positions(info.kernels), opcodes: positions(info.opcodes) }
    this.packs = new PackCache(addon, this.tables.kernels)
    this.profiler = new CpuProfiler(addon, this.tables.kernels, info.threads)
  }

  describe(): Readonly<Record<string, string | number>> {
    const { isa, threads, cores } = this.info
    const reason = (name: string): string => (process.env[name] ? `${name} in the environment` : 'the processor')
    return {
      engine: 'native addon',
      isa,
      'isa chosen by': reason('KAIMO_ISA'),
      threads,
      'threads chosen by': reason('KAIMO_THREADS'),
      cores,
    }
  }

  *compile(graph: Graph, options: CompileOptions = {}): Steps<Executable> {
    const byBody: Record<string, number> = {}
    const keep: KeepComposite = (name, node) => {
      if (runsNatively(name, node)) return true
      byBody[name] = (byBody[name] ?? 0) + 1
      return false
    }
    const prepared = yield* runPasses(graph, standardPasses(keep))
    const program = yield* compileProgram(prepared, this.tables, options.donated, options.stableFrom)
    const name = options.name || 'a compiled function'
    return new CpuExecutable(this.addon, name, prepared, program, byBody, this.packs, this.profiler)
  }
}

/**
 * The native CPU engine.
 * @throws NativeUnavailableError where the addon was not built or cannot run; Error when KAIMO_ISA or KAIMO_THREADS cannot be met.
 */
export function createCpuBackend(): Backend {
  const { addon, info } = loadAddon()
  return new CpuBackend(addon, info)
}
