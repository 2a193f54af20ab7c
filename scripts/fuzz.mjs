// Breaks files for as long as it is told and reports what a reader did not answer clearly.
//   npm run fuzz -- [--target NAME] [--seconds 60] [--seed N]
// A case is its seed: `--target hdf5 --seed 123 --seconds 0` runs that one alone.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = spawnSync(
  process.execPath,
  ['--conditions=kaimo-source', '--import', 'tsx', 'test/fuzz/main.ts', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
)
if (run.signal) console.error(`the process ended by ${run.signal}: a crash`)
process.exit(run.status ?? 1)
