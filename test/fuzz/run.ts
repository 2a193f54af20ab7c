import { Random } from './mutate.js'
import { isClear, outputLimit, type Target } from './targets.js'

export interface Finding {
  readonly target: string
  readonly seed: number
  readonly what: string
}

export interface Tally {
  readonly cases: number
  /** Broken files that still read, as many do whose changed bytes are elements. */
  readonly read: number
  readonly findings: readonly Finding[]
  /** Slowest case in milliseconds. */
  readonly slowest: { readonly seed: number; readonly ms: number }
  /** Messages without their numbers and names: how many different faults were met. */
  readonly kinds: ReadonlyMap<string, number>
}

/** More than this appearing in one case means that something was taken on the word of the file. */
const MAX_GROWTH_BYTES = 256 * 1024 * 1024

interface Outcome {
  readonly problem: string | null
  readonly message: string | null
}

async function runCase(target: Target, seed: number): Promise<Outcome> {
  const file = await target.make(new Random(seed))
  try {
    const bytes = await target.read(file)
    const limit = outputLimit(file.length, target.name)
    const problem = bytes > limit ? `${bytes} bytes came out of a file of ${file.length}` : null
    return { problem, message: null }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const clear = isClear(error)
    return { problem: clear ? null : `${error instanceof Error ? error.stack : error}`.slice(0, 1500), message }
  }
}

/** Runs the cases `first`, `first + 1`, ... of a target while `go` says so. Case and seed are one number: any can be run alone. */
export async function fuzz(target: Target, first: number, go: (cases: number) => boolean): Promise<Tally> {
  const findings: Finding[] = []
  const kinds = new Map<string, number>()
  let slowest = { seed: first, ms: 0 }
  let cases = 0
  let read = 0
  for (; go(cases); cases++) {
    const seed = first + cases
    const start = performance.now()
    const before = process.memoryUsage().external
    const { problem, message } = await runCase(target, seed)
    const growth = process.memoryUsage().external - before
    if (growth > MAX_GROWTH_BYTES) findings.push({ target: target.name, seed, what: `${growth} bytes were allocated` })
    const ms = performance.now() - start
    if (ms > slowest.ms) slowest = { seed, ms }
    if (problem !== null) findings.push({ target: target.name, seed, what: problem })
    if (message === null) read++
    else {
      const kind = message.replace(/"[^"]*"|[\d.]+/g, '#').slice(0, 120)
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
  }
  return { cases, read, findings, slowest, kinds }
}
