import { dtypeBytes, type Graph, type Steps, sizeOf } from '../../ir/index.js'
import { joinCarries, joinDonations, joinInPlace } from './alias.js'
import { Lowering, type NativeTables } from './lower.js'
import { type PackedProgram, packProgram } from './packs.js'
import { type EncodedProgram, encodeProgram, type Instruction } from './program.js'
import { denseView, isDense, type View } from './view.js'

export interface CompiledProgram extends EncodedProgram {
  readonly instructions: readonly Instruction[]
  /** For each result: the parameter whose memory it takes over, or -1. */
  readonly takesOver: readonly number[]
  readonly kernels: Readonly<Record<string, number>>
  /** Parameters that products could read packed. */
  readonly packable: readonly number[]
  /** The program that reads them so, if there are any. */
  readonly packed: PackedProgram | null
}

/** Memory of each result: the caller's buffers. */
function resultTargets(lowering: Lowering, graph: Graph): View[] {
  return graph.results.map(({ dtype, shape }, i) => {
    const storage = lowering.builder.external('output', sizeOf(shape) * dtypeBytes(dtype), i)
    return denseView(storage, dtype, shape)
  })
}

function countKernels(instructions: readonly Instruction[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { control, kernel } of instructions) if (control === 'kernel') counts[kernel] = (counts[kernel] ?? 0) + 1
  return counts
}

/** Compiles a graph of native ops and composites into a program for the addon. */
export function* compileProgram(
  graph: Graph,
  native: NativeTables,
  donated: readonly number[] = [],
  stableFrom = Number.POSITIVE_INFINITY,
): Steps<CompiledProgram> {
  const lowering = new Lowering(native)
  const { builder } = lowering
  const inputBytes = graph.params.map(({ dtype, shape }) => sizeOf(shape) * dtypeBytes(dtype))
  const inputs = graph.params.map(({ dtype, shape }, i) =>
    denseView(builder.external('input', inputBytes[i], i), dtype, shape),
  )
  const targets = resultTargets(lowering, graph)
  const results = yield* lowering.steps(graph, inputs, targets, donated)
  const takesOver = graph.results.map(() => -1)
  const final = results.map((view, i) => {
    const target = targets[i]
    if (view.storage === target.storage && isDense(view) && view.offset === 0) return target
    const passed = donated.findIndex((result, p) => result === i && inputs[p].storage === view.storage)
    if (passed >= 0 && isDense(view) && view.offset === 0) takesOver[i] = passed
    else if (sizeOf(view.shape) > 0) lowering.copy(view, target, 'result')
    return target
  })
  for (const copy of joinCarries(lowering)) builder.drop(copy)
  builder.measureLives()
  yield
  joinDonations(lowering, donated, inputs, final)
  joinInPlace(lowering)
  yield
  final.forEach((view, i) => {
    const { root } = view.storage
    if (root.kind === 'input') takesOver[i] = root.index
  })
  const outputBytes = final.map((view, i) => (takesOver[i] >= 0 ? 0 : view.storage.bytes))
  const encoded = yield* encodeProgram(builder, inputBytes, outputBytes, native.kernels)
  const lasting = (param: number): boolean =>
    param >= stableFrom && (donated[param] ?? -1) < 0 && !takesOver.includes(param)
  const packed = yield* packProgram(builder, inputBytes, outputBytes, native.kernels, lasting)
  const packable = [...new Set(packed?.packs.map(({ param }) => param))]
  const kernels = countKernels(builder.instructions)
  return { ...encoded, instructions: builder.instructions, takesOver, kernels, packable, packed }
}
