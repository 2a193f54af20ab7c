import { readFileSync } from 'node:fs'
import { cpuUsage } from 'node:process'
import type { Values } from '../../conformance/compare.js'
import { readValues } from '../../conformance/golden.js'
import { currentBackend, realise, setBackend } from '../../runtime/index.js'
import type { Tensor } from '../../tensor/index.js'
import type { Prepared } from './case.js'

export interface MeasureOptions {
  readonly repeat: number
  readonly warmup: number
  /** Stop repeating after so many seconds (at least 3 samples are taken). */
  readonly maxSeconds: number
  readonly signal?: AbortSignal
}

/** Milliseconds of one step. */
export interface Timing {
  readonly median: number
  readonly min: number
  readonly samples: number
  readonly warmup: number
  /** Share of one core that other processes used meanwhile, in percent; more than 5 spoils a timing of two threads. */
  readonly otherCpu: number | null
  readonly steal: number | null
}

interface Busy {
  readonly wall: number
  readonly own: number
  readonly all: number
  readonly steal: number
}

/** Processor seconds of this process and of the machine. Null where the system does not tell. */
function busy(): Busy | null {
  try {
    const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number)
    const seconds = ticks.map((tick) => tick / 100)
    const { user, system } = cpuUsage()
    const [us, nice, sys, , , irq, softirq, steal] = seconds
    return { wall: performance.now() / 1e3, own: (user + system) / 1e6, all: us + nice + sys + irq + softirq, steal }
  } catch {
    return null
  }
}

const settled = async (results: readonly Tensor[]): Promise<void> => {
  await realise(results.map((result) => result.value))
}

async function sample(prepared: Prepared, first: number): Promise<number> {
  const inner = prepared.work.inner ?? 1
  const start = performance.now()
  let last: readonly Tensor[] = []
  for (let i = 0; i < inner; i++) last = prepared.step((first + i) % prepared.ring)
  await settled(last)
  return (performance.now() - start) / inner
}

function percent(before: Busy | null, after: Busy | null, part: (busy: Busy) => number): number | null {
  if (!before || !after) return null
  return (100 * Math.max(0, part(after) - part(before))) / (after.wall - before.wall)
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Results are collected in batches, and their memory serves again only from the second batch on: until then every step maps fresh pages. */
const SETTLE_MS = 500

/** Times steps after warming up: at least `warmup` runs and {@link SETTLE_MS}. */
export async function measure(prepared: Prepared, options: MeasureOptions): Promise<Timing> {
  const started = performance.now()
  for (let i = 0; i < options.warmup || performance.now() - started < SETTLE_MS; i++)
    await settled(prepared.step(i % prepared.ring))
  const warmup = performance.now() - started
  const before = busy()
  const stop = performance.now() + options.maxSeconds * 1e3
  const times: number[] = []
  for (let i = 0; i < options.repeat; i++) {
    options.signal?.throwIfAborted()
    times.push(await sample(prepared, i))
    if (performance.now() > stop && times.length >= 3) break
  }
  const after = busy()
  return {
    median: median(times),
    min: Math.min(...times),
    samples: times.length,
    warmup,
    otherCpu: percent(before, after, ({ all, own }) => all - own),
    steal: percent(before, after, ({ steal }) => steal),
  }
}

export interface Verified {
  /** Sum of all results of input set 0. */
  readonly checksum: number
  /** Largest difference from the interpreter, relative to the largest magnitude. */
  readonly error: number
}

function sumOf(values: readonly Values[]): number {
  let total = 0
  for (const { data } of values) for (let i = 0; i < data.length; i++) total += Number(data[i])
  return total
}

function relativeError(got: Values, want: Values): number {
  if (got.data.length !== want.data.length) return Number.POSITIVE_INFINITY
  let largest = 0
  let error = 0
  for (let i = 0; i < want.data.length; i++) {
    largest = Math.max(largest, Math.abs(Number(want.data[i])))
    const difference = Math.abs(Number(got.data[i]) - Number(want.data[i]))
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference)
  }
  return largest === 0 ? error : error / largest
}

/**
 * Holds the results of input set 0 to the reference interpreter.
 * @throws Error where they differ by more than the case allows.
 */
export async function verify(name: string, prepared: Prepared): Promise<Verified> {
  const { check } = prepared
  const results = prepared.step(0)
  const whole = await readValues(results)
  const got = await readValues(check.part(results))
  const backend = currentBackend()
  setBackend('interpreter')
  let want: Values[]
  try {
    want = await readValues(check.reference())
  } finally {
    setBackend(backend)
  }
  const error = Math.max(...want.map((values, i) => relativeError(got[i], values)))
  if (!(error <= check.tolerance)) {
    throw new Error(
      `${name}: the result differs from the interpreter's by ${error.toPrecision(3)} of its largest magnitude, at most ${check.tolerance} is allowed; nothing was timed`,
    )
  }
  return { checksum: sumOf(whole), error }
}
