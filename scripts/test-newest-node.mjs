// Runs the tests of the engine on the newest Node.js that the npm registry has as a package (node-<platform>-<arch>).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const platform = { win32: 'win' }[process.platform] ?? process.platform
const name = `node-${platform}-${process.arch}`
const folder = join(root, '.cache', 'newest-node')
mkdirSync(folder, { recursive: true })
if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{"private": true}\n')
const install = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@latest`], {
  cwd: folder,
  stdio: 'inherit',
  shell: process.platform === 'win32',
})
const binary = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
if (install.status !== 0 || !existsSync(binary)) {
  console.log(`skipped: the package ${name} is not to be had here`)
  process.exit(0)
}
const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim()
console.log(`Node.js ${version}`)
const run = spawnSync(binary, [join(root, 'scripts', 'test.mjs'), 'native', 'unit/runtime', 'unit/tensor'], {
  cwd: root,
  stdio: 'inherit',
})
process.exit(run.status ?? 1)
