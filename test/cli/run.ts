import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/kaimo.mjs', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command from the sources, as a process of its own. */
export function kaimo(...args: string[]): Outcome {
  const run = spawnSync(process.execPath, [bin, ...args], {
    encoding: 'utf8',
    env: { ...process.env, KAIMO_SOURCE: '1', KAIMO_DEBUG: '' },
  })
  return { code: run.status, stdout: run.stdout, stderr: run.stderr }
}

/** The only line of stderr. */
export function errorLine({ stderr }: Outcome): string {
  const lines = stderr.trimEnd().split('\n')
  if (lines.length !== 1) throw new Error(`expected one line on stderr, got:\n${stderr}`)
  return lines[0]
}
