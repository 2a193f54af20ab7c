import type { Command } from 'commander'
import { packageVersion } from '../../formats/package.node.js'
import type { Prepared, Work } from '../bench/case.js'
import type { Timing, Verified } from '../bench/measure.js'
import { type CliCommand, UsageError, wholeNumber } from '../command.js'
import { printJson, printLine, printTable } from '../output.js'

/** Rounds of the ring under the profiler. */
const PROFILED = 5

interface Options {
  readonly case?: string
  readonly list?: boolean
  readonly json?: boolean
  readonly repeat: number
  readonly warmup: number
  readonly maxS: number
  readonly profile?: string | true
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Rates of a step of `work` that takes `ms`. */
function rates(work: Work, { median, min }: Timing): Record<string, number> {
  const record: Record<string, number> = {}
  if (work.flops) {
    record.gflops = rounded(work.flops / median / 1e6, 1)
    record.gflops_best = rounded(work.flops / min / 1e6, 1)
  }
  if (work.bytes) record.weight_GBs = rounded(work.bytes / median / 1e6, 1)
  if (work.items) record.items_s = rounded((work.items / median) * 1e3, 2)
  if (work.params) record.params = work.params
  return record
}

function record(
  name: string,
  { work }: Prepared,
  timing: Timing,
  verified: Verified,
  facts: Record<string, unknown>,
): Record<string, unknown> {
  return {
    peer: `kaimo ${packageVersion()}`,
    case: name,
    ...facts,
    median_ms: rounded(timing.median, 4),
    min_ms: rounded(timing.min, 4),
    n: timing.samples,
    warmup_ms: rounded(timing.warmup, 1),
    other_cpu_pct: timing.otherCpu === null ? null : rounded(timing.otherCpu, 1),
    steal_pct: timing.steal === null ? null : rounded(timing.steal, 1),
    ...rates(work, timing),
    checksum: Number(verified.checksum.toPrecision(9)),
    check_error: Number(verified.error.toPrecision(3)),
  }
}

async function runCase(name: string, options: Options, signal: AbortSignal): Promise<Record<string, unknown>> {
  const { CASES } = await import('../bench/cases.js')
  const { measure, verify } = await import('../bench/measure.js')
  const { currentBackend } = await import('../../runtime/index.js')
  const build = Object.hasOwn(CASES, name) ? CASES[name] : undefined
  if (!build) throw new UsageError(`unknown case '${name}'; kaimo bench --list names them all`)
  const prepared = build()
  const verified = await verify(name, prepared)
  const timing = await measure(prepared, {
    repeat: options.repeat,
    warmup: options.warmup,
    maxSeconds: options.maxS,
    signal,
  })
  const { threads = 1, isa } = currentBackend().describe()
  const limits = currentBackend().profiler?.limits()
  const peak = limits && { peak_gflops: rounded(limits.gflops, 1), peak_GBs: rounded(limits.bandwidth, 1) }
  if (options.profile) await profileCase(name, prepared, options)
  return record(name, prepared, timing, verified, { threads, backend: currentBackend().name, isa, ...peak })
}

/** Some rounds of the ring under the profiler: a table to read, and files where a folder is named. */
async function profileCase(name: string, prepared: Prepared, { profile, json }: Options): Promise<void> {
  const { startProfile, realise } = await import('../../runtime/index.js')
  const { printProfile, writeProfile } = await import('../profile.js')
  const running = startProfile()
  for (let slot = 0; slot < PROFILED * prepared.ring; slot++)
    await realise(prepared.step(slot % prepared.ring).map(({ value }) => value))
  const result = running.stop()
  if (!json) await printProfile(result)
  if (typeof profile === 'string') await writeProfile(profile, name, result)
}

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .option('--case <names>', 'one case, or several with commas between them')
      .option('--list', 'name the cases')
      .option(
        '--profile [folder]',
        'time every kernel of a few steps; the folder gets a Chrome trace, an SVG and a table',
      )
      .option('--repeat <n>', 'timed samples', wholeNumber('--repeat', 1), 10)
      .option('--warmup <n>', 'runs before timing', wholeNumber('--warmup', 0), 2)
      .option('--max-s <seconds>', 'stop repeating after so many seconds', wholeNumber('--max-s', 1), 60)
  },
  async run({ options, signal }) {
    await import('../../node.js')
    if (options.list) {
      const { CASES } = await import('../bench/cases.js')
      if (options.json) printJson(Object.keys(CASES))
      else printLine(Object.keys(CASES).join('\n'))
      return
    }
    if (!options.case) throw new UsageError('bench needs --case NAME; kaimo bench --list names them')
    const records: Record<string, unknown>[] = []
    for (const name of options.case.split(',')) {
      const result = await runCase(name, options, signal)
      if (options.json) printJson(result)
      records.push(result)
    }
    if (!options.json) {
      const shown = [
        'case',
        'threads',
        'median_ms',
        'min_ms',
        'gflops',
        'peak_gflops',
        'items_s',
        'other_cpu_pct',
        'check_error',
        'checksum',
      ]
      await printTable(
        shown,
        records.map((row) => shown.map((key) => (row[key] === undefined || row[key] === null ? '' : String(row[key])))),
      )
    }
  },
}
