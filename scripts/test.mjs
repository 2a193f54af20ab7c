// Runs the tests below test/: all of them, or those in the folders and files named on the command line (`npm test -- unit golden`).
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tests = join(root, 'test')

/** Test files in a folder, at any depth. */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith('.test.ts'))

const named = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const flags = process.argv.slice(2).filter((arg) => arg.startsWith('--'))
const chosen = named.length > 0 ? named.map((name) => join(tests, name)) : [tests]
const files = chosen.flatMap((path) => (statSync(path).isDirectory() ? filesIn(path) : [path])).sort()
if (files.length === 0) {
  console.error(`no tests in ${chosen.join(', ')}`)
  process.exit(1)
}
const run = spawnSync(
  process.execPath,
  [
    '--conditions=kaimo-source',
    '--import',
    'tsx',
    '--import',
    './test/support/memory.ts',
    '--test',
    ...flags,
    ...files,
  ],
  {
    cwd: root,
    stdio: 'inherit',
  },
)
process.exit(run.status ?? 1)
