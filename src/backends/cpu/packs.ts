import {
  arrayConstructor,
  type DType,
  dtypeBytes,
  finish,
  type Steps,
  sizeOf,
  type TypedArray,
} from '../../ir/index.js'
import type { Buffer } from '../../runtime/buffer.js'
import type { NativeAddon, NativeProgram } from './addon.js'
import { type EncodedProgram, encodeProgram, type Instruction, ProgramBuilder } from './program.js'
import { denseView, Storage, type View } from './view.js'

/** A right operand of products that stays the same from run to run, in the layout of the matrix kernel. */
export interface Pack {
  /** The parameter it is made from. */
  readonly param: number
  /** Equal for packs of equal contents of one buffer. */
  readonly key: string
  readonly rhs: View
  readonly kernel: 'pack_rhs' | 'pack_int8'
  readonly ints: readonly number[]
  readonly dtype: DType
  /** Elements, no fewer than any ISA's layout takes. */
  readonly length: number
}

export interface PackedProgram extends EncodedProgram {
  readonly packs: readonly Pack[]
  readonly instructions: readonly Instruction[]
}

/** Smaller operands are packed as fast as they are read. */
const LEAST = 4096

/** Columns of the widest panel. */
const PANEL = 64

/** Products with fewer rows read 8-bit weights as they lie. */
const LEAST_ROWS = 4

/** The pack of a dot_general: f32, no batch. */
function rhsPack({ ints, in: inputs, out }: Instruction): Omit<Pack, 'param' | 'key'> | null {
  const rhs = inputs[1]
  if (ints[0] !== 0 || [...inputs, ...out].some(({ dtype }) => dtype !== 'f32')) return null
  const contract = ints.slice(2 + ints[1], 2 + 2 * ints[1])
  const k = contract.reduce((product, dim) => product * rhs.shape[dim], 1)
  if (k === 0) return null
  const length = Math.ceil(sizeOf(rhs.shape) / k / PANEL) * PANEL * k
  return { rhs, kernel: 'pack_rhs', ints: [contract.length, ...contract], dtype: 'f32', length }
}

/**
 * The pack of a linear_int8 (native/kernels/int8_panel.h): weights, 16-bit starts of a quarter of their bytes, the offset of each group of
 * 16 for every 8 columns, two sums a column, and a cache line for what stands at the head of a panel and of the whole.
 */
function int8Pack({ in: inputs }: Instruction): Omit<Pack, 'param' | 'key'> | null {
  const rhs = inputs[1]
  const [columns, k] = rhs.shape
  if (sizeOf(inputs[0].shape) < LEAST_ROWS * k) return null
  const [wide, long] = [columns, k].map((size) => Math.ceil(size / PANEL) * PANEL)
  const length = wide * long * (1 + 1 / 4 + 1 / 32) + wide * (8 + 128 / 8) + 64
  return { rhs, kernel: 'pack_int8', ints: [], dtype: 'i8', length }
}

/** Kernels that have a twin, KERNEL_packed, which reads its right operand packed. */
const PACKABLE: Readonly<Record<string, (instruction: Instruction) => Omit<Pack, 'param' | 'key'> | null>> = {
  dot_general: rhsPack,
  linear_int8: int8Pack,
}

/** The pack that a product could read, or null: its right operand must be a parameter that is not overwritten. */
function packOf(instruction: Instruction, lasting: (param: number) => boolean): Pack | null {
  const describe = Object.hasOwn(PACKABLE, instruction.kernel) ? PACKABLE[instruction.kernel] : null
  const rhs = instruction.in[1]
  if (!describe || rhs.storage.root.kind !== 'input' || sizeOf(rhs.shape) < LEAST) return null
  const { index: param } = rhs.storage.root
  const pack = lasting(param) ? describe(instruction) : null
  return pack && { ...pack, param, key: [rhs.offset, rhs.shape.join(), rhs.strides.join(), pack.ints.join()].join(';') }
}

/**
 * The same program with products that read packed right operands, which come as further inputs; null where there are none.
 * `lasting` tells the parameters that no result takes over.
 */
export function* packProgram(
  builder: ProgramBuilder,
  inputBytes: readonly number[],
  outputBytes: readonly number[],
  kernels: ReadonlyMap<string, number>,
  lasting: (param: number) => boolean,
): Steps<PackedProgram | null> {
  const packs: Pack[] = []
  const storages: Storage[] = []
  const instructions = builder.instructions.map((instruction): Instruction => {
    const pack = packOf(instruction, lasting)
    if (!pack) return instruction
    let at = packs.findIndex(({ param, key }) => param === pack.param && key === pack.key)
    if (at < 0) {
      at = packs.push(pack) - 1
      storages.push(new Storage('input', pack.length * dtypeBytes(pack.dtype), inputBytes.length + at))
    }
    const packed = denseView(storages[at], pack.dtype, [pack.length])
    return { ...instruction, kernel: `${instruction.kernel}_packed`, in: [...instruction.in, packed] }
  })
  if (packs.length === 0) return null
  const bytes = [...inputBytes, ...storages.map((storage) => storage.bytes)]
  return { ...(yield* encodeProgram(builder, bytes, outputBytes, kernels, instructions)), packs, instructions }
}

interface Held {
  uses: number
  readonly packs: Map<string, TypedArray>
}

/** Runs before a buffer's contents are packed: a parameter being trained is a new buffer after every step, and never is. */
const PACK_AFTER = 2

/** Packed operands by the buffer that they were made from, whose contents never change. */
export class PackCache {
  private readonly held = new WeakMap<Buffer, Held>()
  private readonly programs = new Map<string, NativeProgram>()

  constructor(
    private readonly addon: NativeAddon,
    private readonly kernels: ReadonlyMap<string, number>,
  ) {}

  /** Counts a run that reads `buffer`; true once it has been read often enough to be packed. */
  use(buffer: Buffer): boolean {
    let held = this.held.get(buffer)
    if (!held) {
      held = { uses: 0, packs: new Map() }
      this.held.set(buffer, held)
    }
    return held.uses++ >= PACK_AFTER
  }

  /** The packed contents of `buffer`. `submit` runs the program that fills them, before anything submitted later. */
  get(
    buffer: Buffer,
    pack: Pack,
    submit: (program: NativeProgram, arrays: [TypedArray, TypedArray]) => void,
  ): TypedArray {
    const packs = this.held.get(buffer)?.packs
    const known = packs?.get(pack.key)
    if (known) return known
    const packed = new (arrayConstructor(pack.dtype))(pack.length)
    submit(this.program(pack, buffer.byteLength), [buffer.array, packed])
    packs?.set(pack.key, packed)
    return packed
  }

  /** Gives up what a failed run should have packed. */
  forget(buffer: Buffer): void {
    this.held.delete(buffer)
  }

  private program(pack: Pack, bytes: number): NativeProgram {
    const key = `${bytes};${pack.key}`
    let program = this.programs.get(key)
    if (!program) {
      const builder = new ProgramBuilder()
      const rhs = { ...pack.rhs, storage: builder.external('input', bytes, 0) }
      const memory = builder.external('output', pack.length * dtypeBytes(pack.dtype), 0)
      const out = denseView(memory, pack.dtype, [pack.length])
      builder.emit({ kernel: pack.kernel, op: 'pack', in: [rhs], out: [out], ints: [...pack.ints] })
      const encoded = finish(encodeProgram(builder, [bytes], [out.storage.bytes], this.kernels))
      program = this.addon.compile(encoded.code, encoded.constants)
      this.programs.set(key, program)
    }
    return program
  }
}
