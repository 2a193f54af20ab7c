import type { Lowering } from './lower.js'
import type { Instruction } from './program.js'
import { coversStorage, type Storage, sameView, type View } from './view.js'

/** Instructions at which a storage is read or written, by root. */
function usesOf(instructions: readonly Instruction[]): Map<Storage, number[]> {
  const uses = new Map<Storage, number[]>()
  const add = (storage: Storage, at: number): void => {
    const list = uses.get(storage.root)
    if (!list) uses.set(storage.root, [at])
    else if (list[list.length - 1] !== at) list.push(at)
    if (storage.root.motion) add(storage.root.motion.base, at)
  }
  instructions.forEach((instruction, at) => {
    for (const view of [...instruction.in, ...instruction.out]) add(view.storage, at)
  })
  return uses
}

/** True when every operand of the instruction that touches the memory of `view` is that very view. */
function readsOnlyAs(instruction: Instruction, view: View): boolean {
  return instruction.in.every((other) => other.storage.root !== view.storage.root || sameView(other, view))
}

/** True when `instruction` may write `out` over its input `input`. */
function mayOverwrite(instruction: Instruction, out: View, input: View): boolean {
  const listed = instruction.inPlace.some(
    (pair) => instruction.out[pair.out] === out && instruction.in[pair.in] === input,
  )
  if (!listed || !coversStorage(out) || !coversStorage(input) || out.storage.bytes !== input.storage.bytes) return false
  const same = out.shape.length === input.shape.length && out.shape.every((extent, d) => extent === input.shape[d])
  return same && readsOnlyAs(instruction, input)
}

/**
 * Lets results take over the memory of parameters that the caller gives up: all reads of the parameter come before the result is
 * written, or happen in the very instruction that can write over its operand.
 */
export function joinDonations(
  lowering: Lowering,
  donated: readonly number[],
  inputs: readonly View[],
  results: readonly View[],
): void {
  const { instructions } = lowering.builder
  donated.forEach((result, i) => {
    if (result < 0) return
    const own = results[result].storage
    const input = inputs[i]
    if (own.kind !== 'output' || own.root !== own || own.index !== result || own.bytes !== input.storage.bytes) return
    if (own.first < 0 || input.storage.kind !== 'input') return
    const writer = instructions[own.first]
    if (input.storage.last > own.first) return
    if (input.storage.last === own.first) {
      const out = writer.out.find((view) => view.storage === own)
      const read = writer.in.filter((view) => view.storage === input.storage)
      if (!out || !read.some((view) => mayOverwrite(writer, out, view))) return
    }
    own.join(input.storage)
  })
}

/** Lets outputs of an instruction take the memory of inputs that end there. */
export function joinInPlace(lowering: Lowering): void {
  lowering.builder.instructions.forEach((instruction, at) => {
    const taken = new Set<Storage>()
    for (const pair of instruction.inPlace) {
      const out = instruction.out[pair.out]
      const input = instruction.in[pair.in]
      const from = input.storage.root
      const to = out.storage.root
      if (
        from === to ||
        taken.has(from) ||
        taken.has(to) ||
        from.kind !== 'arena' ||
        (to.kind !== 'arena' && to.kind !== 'output')
      )
        continue
      if (from.last !== at || to.first !== at || !mayOverwrite(instruction, out, input)) continue
      taken.add(from)
      taken.add(to)
      // A result has memory of its own: the operand moves there, with all that it was computed from.
      if (to.kind === 'output') from.join(to)
      else to.join(from)
    }
  })
}

/**
 * Lets a loop body write a carried value where it is carried, when nothing reads the old value afterwards. Returns the copies that
 * this makes needless.
 */
export function joinCarries(lowering: Lowering): Set<number> {
  const { instructions, regions } = lowering.builder
  const uses = usesOf(instructions)
  const needless = new Set<number>()
  for (const { result, carry, copy } of lowering.carries) {
    const region = regions.find(
      ({ first, last }) => copy > first && copy <= last && isInnermost(first, last, copy, regions),
    )
    const copied = instructions[copy]
    if (!region || result.kind !== 'arena' || result.root !== result || carry.root !== carry) continue
    if (!coversStorage(copied.in[0]) || result.bytes !== carry.bytes) continue
    const written = uses.get(result) ?? []
    const inside = (at: number): boolean => at >= region.first && at <= region.last
    if (written.length === 0 || !written.every(inside) || regions.some((other) => isInside(written[0], other, region)))
      continue
    const reads = (uses.get(carry) ?? []).filter((at) => inside(at) && at !== copy)
    const lastRead = reads.length > 0 ? reads[reads.length - 1] : -1
    if (lastRead > written[0]) continue
    const writer = instructions[written[0]]
    const out = writer.out.find((view) => view.storage === result)
    if (!out || !coversStorage(out)) continue
    if (lastRead === written[0] && !writer.in.some((view) => view.storage === carry && mayOverwrite(writer, out, view)))
      continue
    result.join(carry)
    needless.add(copy)
  }
  return needless
}

type Span = { readonly first: number; readonly last: number }

const isInnermost = (first: number, last: number, at: number, regions: readonly Span[]): boolean =>
  !regions.some((other) => other.first > first && other.last < last && at >= other.first && at <= other.last)

/** True when `at` lies in a loop nested in `region`. */
const isInside = (at: number, other: Span, region: Span): boolean =>
  other !== region && other.first >= region.first && other.last <= region.last && at >= other.first && at <= other.last
