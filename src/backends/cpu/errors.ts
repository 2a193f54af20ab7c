import { avalText } from '../../ir/index.js'
import type { NativeFailure } from './addon.js'
import type { Instruction } from './program.js'

/** In the order of `Status` in native/kernels/kernel.h. */
const STATUS = ['ok', 'index_out_of_bounds', 'unsupported', 'out_of_memory', 'cancelled'] as const

/** An index operand points outside of the tensor that it indexes. */
export class IndexError extends RangeError {
  override name = 'IndexError'
}

function operandsText(instruction: Instruction | undefined): string {
  return instruction ? `${instruction.op}(${instruction.in.map(avalText).join(', ')})` : 'the program'
}

/** The error of a failed run: what was expected, what came, and where. */
export function describeFailure(
  failure: NonNullable<NativeFailure>,
  name: string,
  instructions: readonly Instruction[],
  signal?: AbortSignal,
): Error {
  const [code, at, operand, index, limit] = failure
  const status = STATUS[code]
  const where = `${name}: ${operandsText(instructions[at])}`
  if (status === 'cancelled') {
    if (signal?.aborted) return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason))
    return new Error(`${name}: the run was cancelled because its environment is closing`)
  }
  if (status === 'index_out_of_bounds') {
    return new IndexError(
      `${where}: index ${index} in operand ${operand} is out of range; it must be at least 0 and less than ${limit}`,
    )
  }
  if (status === 'out_of_memory') {
    return new Error(
      limit > 0 ? `${name}: out of memory for intermediates (${limit} bytes)` : `${where}: out of memory for workspace`,
    )
  }
  return new Error(`${where}: the native kernel '${instructions[at]?.kernel ?? ''}' does not support these operands`)
}
