import { type DType, dtypeBytes, finish, sizeOf } from '../../ir/index.js'
import type { KernelSpan, MachineLimits, Profiler } from '../../runtime/profile.js'
import type { NativeAddon, NativeProgram } from './addon.js'
import { encodeProgram, type Instruction, ProgramBuilder } from './program.js'
import { denseView, type View } from './view.js'

/** Spans kept of one profile: a few seconds of small kernels. */
const MOST_SPANS = 2_000_000

const product = (extents: readonly number[]): number => extents.reduce((total, extent) => total * extent, 1)

const dotFlops = ({ in: [lhs], out: [out], ints: [batch, contract, ...dims] }: Instruction): number => {
  const lhsContract = dims.slice(2 * batch, 2 * batch + contract)
  return 2 * sizeOf(out.shape) * product(lhsContract.map((dim) => lhs.shape[dim]))
}

/** Output features of a convolution's kernel: ints are those of native/kernels/conv_shape.h. */
const outputFeatures = (kernel: View, ints: readonly number[]): number => kernel.shape[ints[4 + ints[0]]]

const convFlops = (moved: View, kernel: View, ints: readonly number[]): number =>
  (2 * sizeOf(moved.shape) * sizeOf(kernel.shape)) / Math.max(1, outputFeatures(kernel, ints))

/** Products of attention over q [B, H, T, D], k [B, K, S, D], v [B, K, S, E], `widths` of D and of E; what masks hide counts. */
const attentionFlops = ([q, k, v]: readonly View[], [ofD, ofE]: readonly [number, number]): number => {
  const [batch, heads, queries, d] = q.shape
  return 2 * batch * heads * queries * k.shape[2] * (ofD * d + ofE * v.shape[3])
}

const linearClassFlops = ([hidden, weight]: readonly View[], products: number): number =>
  2 * products * sizeOf(hidden.shape) * weight.shape[0]

/** Floating-point operations of the kernels that compute more than they read. */
const FLOPS: Readonly<Record<string, (instruction: Instruction) => number>> = {
  dot_general: dotFlops,
  dot_general_packed: dotFlops,
  convolution: ({ in: [, kernel], out: [out], ints }) => convFlops(out, kernel, ints),
  conv_input_grad: ({ in: [grad, kernel], ints }) => convFlops(grad, kernel, ints),
  conv_weight_grad: ({ in: [, grad], out: [kernel], ints }) => convFlops(grad, kernel, ints),
  sdpa: ({ in: operands }) => attentionFlops(operands, [1, 1]),
  sdpa_grad: ({ in: operands }) => attentionFlops(operands.slice(3), [3, 2]),
  linear_cross_entropy: ({ in: operands }) => linearClassFlops(operands, 1),
  linear_cross_entropy_grad: ({ in: operands }) => linearClassFlops(operands.slice(1), 3),
}

/** Bytes that a view touches: broadcast dimensions are read once. */
const bytesOf = (view: View): number =>
  product(view.shape.map((extent, d) => (view.strides[d] === 0 ? Math.min(extent, 1) : extent))) *
  dtypeBytes(view.dtype)

const shapesOf = ({ in: inputs, out }: Instruction): string => {
  const text = (views: readonly View[]): string =>
    views.map(({ dtype, shape }) => `${dtype}[${shape.join(',')}]`).join(' ')
  return `${text(inputs)} -> ${text(out)}`
}

interface Known {
  readonly name: string
  readonly instructions: readonly Instruction[]
}

/** Spans of native programs with what each kernel had to do. */
export class CpuProfiler implements Profiler {
  private readonly programs = new Map<number, WeakRef<Known>>()
  private readonly gone = new FinalizationRegistry<number>((id) => this.programs.delete(id))

  constructor(
    private readonly addon: NativeAddon,
    private readonly kernels: ReadonlyMap<string, number>,
    private readonly threads: number,
  ) {}

  /** Makes the spans of a program readable for as long as `known` is alive. */
  know(program: NativeProgram, known: Known): void {
    const id = this.addon.programId(program)
    this.programs.set(id, new WeakRef(known))
    this.gone.register(known, id)
  }

  start(): void {
    this.addon.startProfile(MOST_SPANS)
  }

  stop(): KernelSpan[] {
    const raw = this.addon.stopProfile()
    const spans: KernelSpan[] = []
    const origin = raw.length > 0 ? raw[2] : 0
    for (let i = 0; i < raw.length; i += 4) {
      const known = this.programs.get(raw[i])?.deref()
      const instruction = known?.instructions[raw[i + 1]]
      if (!known || !instruction) continue
      spans.push({
        program: known.name,
        kernel: instruction.kernel,
        op: instruction.op,
        shapes: shapesOf(instruction),
        start: (raw[i + 2] - origin) / 1e3,
        duration: raw[i + 3] / 1e3,
        flops: FLOPS[instruction.kernel]?.(instruction) ?? 0,
        bytes: [...instruction.in, ...instruction.out].reduce((total, view) => total + bytesOf(view), 0),
      })
    }
    return spans
  }

  /** Best of a few short runs on all threads of the engine. */
  limits(): MachineLimits {
    const [rounds, rows, columns, attempts] = [1_000_000, 64, 1 << 18, 5]
    const peak = this.program(
      'machine_peak',
      null,
      [
        ['f32', this.threads],
        ['f64', 1],
      ],
      [rounds],
    )
    const sinks = [new Float32Array(this.threads), new Float64Array(1)]
    const sum = this.program('reduce_sum', [rows, columns], [['f32', rows]], [1])
    const source = [new Float32Array(rows * columns).fill(1), new Float32Array(rows)]
    let [gflops, bandwidth] = [0, 0]
    for (let attempt = 0; attempt < attempts; attempt++) {
      const started = performance.now()
      this.addon.runSync(peak, sinks)
      gflops = Math.max(gflops, sinks[1][0] / (performance.now() - started) / 1e6)
      const read = performance.now()
      this.addon.runSync(sum, source)
      bandwidth = Math.max(bandwidth, (4 * rows * columns) / (performance.now() - read) / 1e6)
    }
    return { gflops, bandwidth, threads: this.threads }
  }

  /** A program of one kernel over one f32 input, or none. */
  private program(
    kernel: string,
    input: readonly number[] | null,
    results: readonly (readonly [dtype: DType, length: number])[],
    ints: number[],
  ): NativeProgram {
    const builder = new ProgramBuilder()
    const inputBytes = input ? [4 * product(input)] : []
    const inputs = input ? [denseView(builder.external('input', inputBytes[0], 0), 'f32', input)] : []
    const outputBytes = results.map(([dtype, length]) => length * dtypeBytes(dtype))
    const out = results.map(([dtype, length], i) =>
      denseView(builder.external('output', outputBytes[i], i), dtype, [length]),
    )
    builder.emit({ op: kernel, kernel, in: inputs, out, ints })
    builder.measureLives()
    const { code, constants } = finish(encodeProgram(builder, inputBytes, outputBytes, this.kernels))
    return this.addon.compile(code, constants)
  }
}
