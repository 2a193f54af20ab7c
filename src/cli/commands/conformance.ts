import type { Command } from 'commander'
import type { AreaReport, ConformanceReport } from '../../conformance/index.js'
import type { CliCommand } from '../command.js'
import { printJson, printLine, printTable } from '../output.js'

interface Options {
  readonly area?: string
  readonly filter?: string
}

const SHOWN_FAILURES = 20

const worstText = ({ worst }: AreaReport): string =>
  worst ? `${worst.error.toPrecision(3)} = ${worst.ratio.toPrecision(3)}x allowed (${worst.case} ${worst.where})` : ''

function printDetails({ area, failures, missing }: AreaReport): void {
  for (const { case: id, reason } of failures.slice(0, SHOWN_FAILURES)) printLine(`failed ${area}/${id}: ${reason}`)
  if (failures.length > SHOWN_FAILURES)
    printLine(`... and ${failures.length - SHOWN_FAILURES} more failures in ${area}`)
  const names = Object.entries(missing).sort(([a], [b]) => (a < b ? -1 : 1))
  if (names.length > 0)
    printLine(`skipped in ${area}: ${names.map(([name, count]) => `${name} (${count})`).join(', ')}`)
}

async function printReport(report: ConformanceReport, summary: string): Promise<void> {
  for (const area of report.areas) printDetails(area)
  await printTable(
    ['area', 'passed', 'failed', 'unsupported', `worst error on ${report.backend}`],
    report.areas.map((area) => [area.area, area.passed, area.failed, area.unsupported, worstText(area)]),
  )
  printLine(summary)
}

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<dir>', 'folder with one subfolder for each area')
      .option('--area <name>', 'one area only: ops, optim, keras, metrics, ...')
      .option('--filter <regex>', "cases whose id or '<file stem>/<id>' matches")
  },
  async run({ args, options }) {
    await import('../../node.js')
    const { runConformance, summaryLine } = await import('../../conformance/index.js')
    const report = await runConformance(args[0], { area: options.area, filter: options.filter })
    if (options.json) printJson({ ...report, summary: summaryLine(report) })
    else await printReport(report, summaryLine(report))
    return report.failed > 0 ? 1 : 0
  },
}
