import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, totalmem } from 'node:os'
import type { Command } from 'commander'
import { packageVersion } from '../../formats/package.node.js'
import type { CliCommand } from '../command.js'
import { formatBytes, printJson, printTable } from '../output.js'

type Facts = Record<string, string | number>

/** First line that a compiler prints about itself, or undefined where there is none. */
function compilerVersion(name: string): string | undefined {
  const run = spawnSync(name, ['--version'], { encoding: 'utf8', timeout: 5000 })
  return run.status === 0 ? run.stdout.split('\n')[0] : undefined
}

function compiler(): string {
  const candidates = [process.env.CXX, 'g++', 'clang++'].filter((name) => name !== undefined)
  for (const name of candidates) {
    const version = compilerVersion(name)
    if (version) return `${name}: ${version}`
  }
  return `none of ${candidates.join(', ')} found; the native addon cannot be built here`
}

function machineFacts(): Facts {
  return {
    kaimo: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: formatBytes(totalmem()),
    compiler: compiler(),
  }
}

async function backendFacts(): Promise<{ facts: Facts; problems: Facts }> {
  const { backendProblems } = await import('../../node.js')
  const { currentBackend } = await import('../../runtime/index.js')
  const backend = currentBackend()
  return { facts: { backend: backend.name, ...backend.describe() }, problems: backendProblems() }
}

const SETTINGS = ['KAIMO_BACKEND', 'KAIMO_ISA', 'KAIMO_THREADS', 'CXX'] as const

export const command: CliCommand<object> = {
  configure(_command: Command) {},
  async run({ options }) {
    const { facts, problems } = await backendFacts()
    const machine = machineFacts()
    const environment: Facts = {}
    for (const name of SETTINGS) {
      const value = process.env[name]
      if (value !== undefined) environment[name] = value
    }
    if (options.json) {
      printJson({ ...machine, ...facts, problems, environment })
      return
    }
    const unavailable = Object.entries(problems).map(([name, reason]) => [`${name} unavailable`, reason] as const)
    const rows = [...Object.entries(machine), ...Object.entries(facts), ...unavailable, ...Object.entries(environment)]
    await printTable(
      ['what', 'is'],
      rows.map(([name, value]) => [name, String(value)]),
    )
  },
}
