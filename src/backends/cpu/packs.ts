import { dtypeBytes, finish, type Steps, sizeOf } from '../../ir/index.js'
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
  readonly contract: readonly number[]
  /** Floats, no fewer than any ISA's layout takes. */
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

/** The pack that a product could read, or null: f32, no batch, the right operand a parameter that is not overwritten. */
function packOf(instruction: Instruction, lasting: (param: number) => boolean): Pack | null {
  const { kernel, ints, out } = instruction
  const rhs = instruction.in[1]
  if (kernel !== 'dot_general' || ints[0] !== 0 || rhs.storage.root.kind !== 'input') return null
  const { index: param } = rhs.storage.root
  const views = [...instruction.in, ...out]
  if (!lasting(param) || sizeOf(rhs.shape) < LEAST || views.some(({ dtype }) => dtype !== 'f32')) return null
  const contract = ints.slice(2 + ints[1], 2 + 2 * ints[1])
  const k = contract.reduce((product, dim) => product * rhs.shape[dim], 1)
  if (k === 0) return null
  const length = Math.ceil(sizeOf(rhs.shape) / k / PANEL) * PANEL * k
  const key = [rhs.offset, rhs.shape.join(), rhs.strides.join(), contract.join()].join(';')
  return { param, key, rhs, contract, length }
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
      storages.push(new Storage('input', pack.length * dtypeBytes('f32'), inputBytes.length + at))
    }
    const packed = denseView(storages[at], 'f32', [pack.length])
    return { ...instruction, kernel: 'dot_general_packed', in: [...instruction.in, packed] }
  })
  if (packs.length === 0) return null
  const bytes = [...inputBytes, ...storages.map((storage) => storage.bytes)]
  return { ...(yield* encodeProgram(builder, bytes, outputBytes, kernels, instructions)), packs, instructions }
}

interface Held {
  uses: number
  readonly packs: Map<string, Float32Array>
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
    submit: (program: NativeProgram, arrays: [Float32Array, Float32Array]) => void,
  ): Float32Array {
    const packs = this.held.get(buffer)?.packs
    const known = packs?.get(pack.key)
    if (known) return known
    const packed = new Float32Array(pack.length)
    submit(this.program(pack, buffer.byteLength), [buffer.array as Float32Array, packed])
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
      const out = denseView(builder.external('output', pack.length * dtypeBytes('f32'), 0), 'f32', [pack.length])
      builder.emit({
        kernel: 'pack_rhs',
        op: 'pack',
        in: [rhs],
        out: [out],
        ints: [pack.contract.length, ...pack.contract],
      })
      const encoded = finish(encodeProgram(builder, [bytes], [out.storage.bytes], this.kernels))
      program = this.addon.compile(encoded.code, encoded.constants)
      this.programs.set(key, program)
    }
    return program
  }
}
