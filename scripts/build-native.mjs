// Builds build/kaimo.node by calling the C++ compiler directly: `node scripts/build-native.mjs [--sanitize address,undefined|thread]
// [--isa avx2,sse41] [--force] [--verbose]`; --isa limits the instruction sets, for a faster build while developing.
// CXX names the compiler. Without one it says so and succeeds: the TypeScript interpreter takes over.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)

/** Flags of the ISA builds of each processor family. */
const ISA_FLAGS = {
  x64: {
    isa_sse41: ['-msse4.1', '-mssse3'],
    isa_avx2: ['-mavx2', '-mfma', '-mf16c'],
    isa_avx512: ['-mavx2', '-mfma', '-mf16c', '-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mavx512vnni'],
  },
  arm64: { isa_neon: [] },
}

/** Flags of what is built once: the least that the processor family has to offer. */
const BASE_FLAGS = { x64: ISA_FLAGS.x64.isa_sse41, arm64: [] }

// Of -O3 the kernels gain only vectorisation, and compile in half the time.
const KERNEL_FLAGS = [
  '-O2',
  '-ftree-vectorize',
  '-fvect-cost-model=dynamic',
  '-fno-math-errno',
  '-fno-trapping-math',
  // Where a fused multiply-add is wanted it is written: else compilers and instruction sets would disagree in the last bit.
  '-ffp-contract=off',
  '-fno-exceptions',
  '-fno-rtti',
]

function parseArguments(argv) {
  const options = { sanitize: '', isas: [], force: false, verbose: false }
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--sanitize') options.sanitize = argv[++i] ?? ''
    else if (argv[i] === '--isa') options.isas = (argv[++i] ?? '').split(',')
    else if (argv[i] === '--force') options.force = true
    else if (argv[i] === '--verbose') options.verbose = true
    else throw new Error(`unknown argument '${argv[i]}'; expected --sanitize LIST, --isa LIST, --force or --verbose`)
  }
  return options
}

function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['g++', 'clang++', 'c++']
  for (const candidate of candidates) {
    const found = spawnSync(candidate, ['--version'], { encoding: 'utf8' })
    if (found.status === 0) return { command: candidate, version: found.stdout.split('\n')[0] }
  }
  return null
}

function sourcesIn(folder) {
  return readdirSync(join(root, 'native', folder))
    .filter((name) => /\.(cpp|h)$/.test(name))
    .sort()
    .map((name) => join('native', folder, name))
}

/** Translation units as { source, flags }. */
function translationUnits({ sanitize, isas: wanted }) {
  const isas = Object.entries(ISA_FLAGS[process.arch]).filter(
    ([name]) => wanted.length === 0 || wanted.includes(name.slice('isa_'.length)),
  )
  if (isas.length === 0)
    throw new Error(
      `--isa ${wanted.join()}: expected some of ${Object.keys(ISA_FLAGS[process.arch]).join()} without 'isa_'`,
    )
  const common = ['-std=c++17', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-g1']
  if (sanitize) common.push(`-fsanitize=${sanitize}`, '-fno-omit-frame-pointer', '-fno-sanitize-recover=undefined')
  const headers = ['-I', require('node-api-headers').include_dir]
  const host = [...sourcesIn('runtime'), ...sourcesIn('addon')].filter((name) => name.endsWith('.cpp'))
  // Under a sanitizer the kernels are optimised less: the build takes a fraction of the time.
  const kernelFlags = sanitize ? KERNEL_FLAGS.map((flag) => (flag === '-O2' ? '-O1' : flag)) : KERNEL_FLAGS
  return [
    ...isas.map(([name, flags]) => ({
      source: `native/kernels/${name}.cpp`,
      flags: [...common, ...kernelFlags, ...flags],
    })),
    { source: 'native/kernels/common.cpp', flags: [...common, ...kernelFlags, ...BASE_FLAGS[process.arch]] },
    ...host.map((source) => ({
      source,
      flags: [...common, '-O2', '-pthread', ...headers, ...isas.map(([name]) => `-DKAIMO_${name.toUpperCase()}`)],
    })),
  ]
}

function linkFlags(sanitize) {
  const flags = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread']
  return sanitize ? [...flags, `-fsanitize=${sanitize}`] : flags
}

function runCommand(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} failed on ${args.at(-1)}:\n${output}`)),
    )
  })
}

/** Runs `jobs` on as many processes as there are cores. */
async function inParallel(jobs) {
  const queue = [...jobs]
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await job()
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
}

/** A source and every project header that it includes, sorted. */
function includeClosure(source) {
  const seen = new Set()
  const visit = (file) => {
    if (seen.has(file) || !existsSync(join(root, file))) return
    seen.add(file)
    for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(/^\s*#include "([^"]+)"/gm))
      visit(join(dirname(file), name))
  }
  visit(source)
  return [...seen].sort()
}

/** Hash of all that an object file depends on. */
function fingerprint(compiler, { source, flags }) {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([compiler, process.arch, process.platform, flags]))
  for (const file of includeClosure(source)) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

const readStamp = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')

async function compileUnits(compiler, units, folder, options) {
  const jobs = units.map((unit) => async () => {
    const object = objectOf(folder, unit)
    const print = fingerprint(compiler, unit)
    if (!options.force && existsSync(object) && readStamp(`${object}.stamp`) === print) return
    const output = await runCommand(compiler.command, [
      ...unit.flags,
      '-c',
      '-o',
      `${object}.${process.pid}`,
      unit.source,
    ])
    if (options.verbose && output) console.log(output)
    renameSync(`${object}.${process.pid}`, object)
    writeFileSync(`${object}.stamp`, print)
  })
  await inParallel(jobs)
}

/** Writes beside the addon what it was built from: size and SHA-256 of each source, by which the loader tells a stale one. */
function recordSources(target, units) {
  const names = [...new Set(units.flatMap(({ source }) => includeClosure(source)))].sort()
  const entries = names.map((name) => {
    const data = readFileSync(join(root, name))
    return [name, [data.length, createHash('sha256').update(data).digest('hex')]]
  })
  writeFileSync(`${target}.sources.json`, `${JSON.stringify(Object.fromEntries(entries), null, 1)}\n`)
}

const objectOf = (folder, { source }) => join(folder, `${basename(source, '.cpp')}.o`)

async function build(options) {
  if (!ISA_FLAGS[process.arch] || process.platform === 'win32') {
    console.warn(
      `kaimo: no native build for ${process.platform} ${process.arch}; the TypeScript interpreter will be used`,
    )
    return
  }
  const compiler = findCompiler()
  if (!compiler) {
    const wanted = process.env.CXX ? `CXX=${process.env.CXX} does not run` : 'neither g++ nor clang++ was found'
    console.warn(
      `kaimo: ${wanted}; install one and run "npm run build:native". Until then the slower TypeScript interpreter is used.`,
    )
    return
  }
  const units = translationUnits(options)
  const folder = join(root, 'build', options.sanitize ? `sanitize-${options.sanitize.replace(',', '-')}` : 'native')
  const target = options.sanitize ? join(folder, 'kaimo.node') : join(root, 'build', 'kaimo.node')
  const stamp = join(folder, 'fingerprint')
  const print = [...units.map((unit) => fingerprint(compiler, unit)), ...linkFlags(options.sanitize)].join('\n')
  if (!options.force && existsSync(target) && readStamp(stamp) === print) return
  mkdirSync(folder, { recursive: true })
  const started = Date.now()
  await compileUnits(compiler, units, folder, options)
  // Linked beside and renamed, so that a process that has the old addon loaded keeps it.
  await runCommand(compiler.command, [
    '-o',
    `${target}.${process.pid}`,
    ...linkFlags(options.sanitize),
    ...units.map((unit) => objectOf(folder, unit)),
  ])
  renameSync(`${target}.${process.pid}`, target)
  recordSources(target, units)
  writeFileSync(stamp, print)
  console.log(
    `kaimo: built ${target.slice(root.length + 1)} with ${compiler.version} in ${((Date.now() - started) / 1000).toFixed(1)} s`,
  )
}

const options = parseArguments(process.argv.slice(2))
await build(options).catch((error) => {
  console.error(`kaimo: the native build failed; the slower TypeScript interpreter will be used.\n${error.message}`)
  // As a step of `npm install` it must not fail the installation.
  if (process.env.npm_lifecycle_event !== 'install') process.exitCode = 1
})
