import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chromeTrace, type KernelTotal, type Profile, profileSvg, summarizeProfile } from '../runtime/index.js'
import { printLine, printTable } from './output.js'

const COLUMNS = ['kernel', 'runs', 'time ms', 'share', 'GFLOP/s', 'GB/s', 'of roofline', 'operands']

/** Lines of the table that people read; the rest is in the files. */
const MOST_ROWS = 24

const row = ({ kernel, count, time, share, gflops, bandwidth, roofline, shapes }: KernelTotal): string[] => [
  kernel,
  String(count),
  (time / 1e3).toFixed(3),
  `${(100 * share).toFixed(1)} %`,
  gflops > 0 ? gflops.toFixed(1) : '',
  bandwidth.toFixed(1),
  `${(100 * roofline).toFixed(0)} %`,
  shapes,
]

/** Prints where the time went, the longest first, under what the machine can do. */
export async function printProfile(profile: Profile): Promise<void> {
  const { gflops, bandwidth, threads } = profile.limits
  printLine(
    `machine, ${threads} thread${threads === 1 ? '' : 's'}: ${gflops.toFixed(1)} GFLOP/s, ${bandwidth.toFixed(1)} GB/s read`,
  )
  const totals = summarizeProfile(profile)
  const short = (text: string): string => (text.length > 72 ? `${text.slice(0, 69)}...` : text)
  await printTable(
    COLUMNS,
    totals.slice(0, MOST_ROWS).map((total) => row({ ...total, shapes: short(total.shapes) })),
  )
  if (totals.length > MOST_ROWS) printLine(`and ${totals.length - MOST_ROWS} shorter kernels`)
}

/** Writes `<name>.trace.json` (Chrome's trace format), `<name>.svg` and `<name>.tsv` into a folder. */
export async function writeProfile(folder: string, name: string, profile: Profile): Promise<void> {
  await mkdir(folder, { recursive: true })
  const table = [COLUMNS, ...summarizeProfile(profile).map(row)].map((cells) => cells.join('\t')).join('\n')
  await writeFile(join(folder, `${name}.trace.json`), chromeTrace(profile))
  await writeFile(join(folder, `${name}.svg`), profileSvg(profile))
  await writeFile(join(folder, `${name}.tsv`), `${table}\n`)
}
