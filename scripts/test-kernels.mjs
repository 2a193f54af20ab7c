// Compiles the kernels' own tests with address and undefined-behaviour sanitizers and runs them, two at a time:
// `node scripts/test-kernels.mjs [names]`, names of native/test/NAME.cpp. Exits non-zero if one fails.
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const compiler = process.env.CXX || 'g++'
const folder = join(root, 'build', 'kernel-tests')
const named = process.argv.slice(2)
const queue = named.length > 0 ? named : ['kernels_test', 'conv_test', 'dot_test', 'window_test']
const flags = ['-std=c++17', '-O1', '-g1', '-march=native', '-pthread', '-Wall', '-Wextra', '-Wno-unused-function']
flags.push('-fsanitize=address,undefined', '-fno-sanitize-recover=undefined')

/** Output and exit code of a command. */
function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', (error) => resolve({ code: 1, output: error.message }))
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

async function worker() {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const binary = join(folder, name)
    const built = await run(compiler, [...flags, join('native', 'test', `${name}.cpp`), '-o', binary])
    const { code, output } = built.code === 0 ? await run(binary, []) : built
    console.log(`${code === 0 ? 'ok' : 'FAILED'} ${name}\n${output.trimEnd()}`)
    if (code !== 0) process.exitCode = 1
  }
}

mkdirSync(folder, { recursive: true })
await Promise.all([worker(), worker()])
