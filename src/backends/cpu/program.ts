import {
  type DType,
  dtypeBytes,
  dtypeCode,
  NODES_A_STEP,
  type Shape,
  type Steps,
  sizeOf,
  type TypedArray,
} from '../../ir/index.js'
import { ARENA_ALIGNMENT, planArena } from '../../passes/plan.js'
import { denseView, Storage, splatView, type View } from './view.js'

/** Kinds of instructions, in the order of `Control` in native/runtime/program.h. */
export const CONTROL = ['kernel', 'jump', 'branch_unless', 'loop_begin', 'loop_next', 'move_slot'] as const
export type Control = (typeof CONTROL)[number]

/** An output that may take the memory of an input of the same instruction. */
export interface InPlace {
  readonly out: number
  readonly in: number
}

export interface Instruction {
  readonly control: Control
  readonly kernel: string
  readonly in: View[]
  readonly out: View[]
  readonly ints: number[]
  readonly floats: number[]
  readonly inPlace: readonly InPlace[]
  /** The op behind it, for messages. */
  readonly op: string
}

/** Instructions [first, last] that may run several times. */
export interface Region {
  readonly first: number
  readonly last: number
}

const NO_KERNEL = ''

/** A program under construction. */
export class ProgramBuilder {
  readonly instructions: Instruction[] = []
  readonly regions: Region[] = []
  readonly moving: Storage[] = []
  readonly constants = new Storage('constant', 0)
  counters = 0
  private readonly storages: Storage[] = []
  private readonly constantParts: { data: Uint8Array; offset: number }[] = []
  private readonly constantOffsets = new Map<string, number>()
  private constantBytes = 0

  arena(bytes: number): Storage {
    const storage = new Storage('arena', bytes)
    this.storages.push(storage)
    return storage
  }

  /** The memory of a parameter or of a result, which belongs to the caller. */
  external(kind: 'input' | 'output', bytes: number, index: number): Storage {
    const storage = new Storage(kind, bytes, index)
    this.storages.push(storage)
    return storage
  }

  /** A new dense value in the arena. */
  allocate(dtype: DType, shape: Shape): View {
    return denseView(this.arena(sizeOf(shape) * dtypeBytes(dtype)), dtype, shape)
  }

  /** A window that moves by `step` bytes over `base`; each position shows a slice of `whole` without its leading dimension. */
  window(base: Storage, offset: number, counter: number, step: number, whole: View): Storage {
    const bytes = sizeOf(whole.shape.slice(1)) * dtypeBytes(whole.dtype)
    const storage = new Storage('moving', bytes, this.moving.length, { base, offset, counter, step })
    this.moving.push(storage)
    return storage
  }

  constant(data: TypedArray, dtype: DType, shape: Shape): View {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const key = bytes.length <= 16 ? bytes.join() : ''
    let offset = key ? this.constantOffsets.get(key) : undefined
    if (offset === undefined) {
      offset = this.constantBytes
      this.constantParts.push({ data: bytes, offset })
      this.constantBytes += Math.ceil(bytes.length / ARENA_ALIGNMENT) * ARENA_ALIGNMENT
      if (key) this.constantOffsets.set(key, offset)
    }
    const at = offset / dtypeBytes(dtype)
    if (data.length === 1) return splatView(this.constants, dtype, shape, at)
    return { ...denseView(this.constants, dtype, shape), offset: at }
  }

  constantData(): Uint8Array {
    const data = new Uint8Array(this.constantBytes)
    for (const part of this.constantParts) data.set(part.data, part.offset)
    return data
  }

  emit(part: Partial<Instruction> & { op: string }): number {
    const { control = 'kernel', kernel = NO_KERNEL, inPlace = [], op, floats = [], ints = [] } = part
    this.instructions.push({ control, kernel, in: part.in ?? [], out: part.out ?? [], ints, floats, inPlace, op })
    return this.instructions.length - 1
  }

  /** Makes an instruction do nothing, without moving the others. */
  drop(at: number): void {
    const { op } = this.instructions[at]
    this.instructions[at] = {
      control: 'jump',
      kernel: NO_KERNEL,
      in: [],
      out: [],
      ints: [at + 1],
      floats: [],
      inPlace: [],
      op,
    }
  }

  /** First and last use of every storage; what a loop shares with its outside lives through the whole loop. */
  measureLives(): void {
    this.instructions.forEach((instruction, at) => {
      for (const view of [...instruction.in, ...instruction.out]) view.storage.touch(at)
    })
    // Inner loops come first: they end first.
    const roots = [...new Set([...this.storages, ...this.moving].map((storage) => storage.root))]
    for (const { first, last } of this.regions) {
      for (const storage of roots) {
        if (storage.first < 0 || storage.last < first || storage.first > last) continue
        if (storage.first >= first && storage.last <= last) continue
        storage.first = Math.min(storage.first, first)
        storage.last = Math.max(storage.last, last)
      }
    }
  }

  /** Offsets of the storages that live in the arena. */
  *placeArena(): Steps<{ offsets: Map<Storage, number>; bytes: number }> {
    const roots = [...new Set(this.storages.map((storage) => storage.root))].filter(
      (s) => s.kind === 'arena' && s.first >= 0,
    )
    const plan = yield* planArena(roots)
    return { offsets: new Map(roots.map((storage, i) => [storage, plan.offsets[i]])), bytes: plan.bytes }
  }
}

const FIRST_BUFFER_SLOT = 2

/** `kMaxRank` of native/kernels/kernel.h. */
const MAX_RANK = 10

export interface EncodedProgram {
  readonly code: Float64Array
  readonly constants: Uint8Array
  readonly arenaBytes: number
}

/**
 * The program as the stream that native/runtime/program.h describes. Slots: arena, constants, inputs, outputs, moving windows.
 * `kernelIndex` maps kernel names to positions in the native table.
 */
export function* encodeProgram(
  builder: ProgramBuilder,
  inputBytes: readonly number[],
  outputBytes: readonly number[],
  kernelIndex: ReadonlyMap<string, number>,
  instructions: readonly Instruction[] = builder.instructions,
): Steps<EncodedProgram> {
  const { offsets, bytes } = yield* builder.placeArena()
  const constants = builder.constantData()
  const firstMoving = FIRST_BUFFER_SLOT + inputBytes.length + outputBytes.length
  const place = (storage: Storage): [slot: number, bytes: number] => {
    const root = storage.root
    if (root.kind === 'arena') return [0, offsets.get(root) ?? 0]
    if (root.kind === 'constant') return [1, 0]
    if (root.kind === 'input') return [FIRST_BUFFER_SLOT + root.index, 0]
    if (root.kind === 'output') return [FIRST_BUFFER_SLOT + inputBytes.length + root.index, 0]
    return [firstMoving + root.index, 0]
  }
  const slots = firstMoving + builder.moving.length
  const code = [slots, builder.counters, bytes, bytes, constants.length, ...inputBytes, ...outputBytes]
  for (const _ of builder.moving) code.push(-1)
  code.push(instructions.length)
  for (const [i, instruction] of instructions.entries()) {
    if (i % NODES_A_STEP === 0) yield
    encodeInstruction(instruction, code, place, kernelIndex)
  }
  return { code: Float64Array.from(code), constants, arenaBytes: bytes }
}

function encodeInstruction(
  instruction: Instruction,
  code: number[],
  place: (storage: Storage) => [slot: number, bytes: number],
  kernelIndex: ReadonlyMap<string, number>,
): void {
  const kernel = instruction.control === 'kernel' ? kernelIndex.get(instruction.kernel) : -1
  if (kernel === undefined) throw new Error(`${instruction.op}: the native addon has no kernel '${instruction.kernel}'`)
  const ints = instruction.control === 'move_slot' ? moveArguments(instruction, place) : instruction.ints
  const operands = instruction.control === 'move_slot' ? [] : [...instruction.in, ...instruction.out]
  const nIn = instruction.control === 'move_slot' ? 0 : instruction.in.length
  code.push(
    CONTROL.indexOf(instruction.control),
    kernel,
    nIn,
    operands.length - nIn,
    ints.length,
    instruction.floats.length,
  )
  for (const view of operands) {
    if (view.shape.length > MAX_RANK) {
      throw new RangeError(
        `${instruction.op}: native kernels take at most ${MAX_RANK} dimensions, got ${view.shape.length}`,
      )
    }
    const [slot, bytes] = place(view.storage)
    code.push(slot, bytes + view.offset * dtypeBytes(view.dtype), dtypeCode(view.dtype), view.shape.length)
    code.push(...view.shape, ...view.strides)
  }
  code.push(...ints, ...instruction.floats)
}

/** move_slot carries the window as its output: slot, source slot, byte offset, counter, step. */
function moveArguments(instruction: Instruction, place: (storage: Storage) => [slot: number, bytes: number]): number[] {
  const window = instruction.out[0].storage
  const { motion } = window
  if (!motion) throw new Error(`${instruction.op}: move_slot needs a moving window`)
  const [slot] = place(window)
  const [source, bytes] = place(motion.base)
  return [slot, source, bytes + motion.offset, motion.counter, motion.step]
}
