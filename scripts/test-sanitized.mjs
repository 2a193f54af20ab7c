// Builds the addon with sanitizers and runs native tests under them: `node scripts/test-sanitized.mjs [address,undefined|thread] [test files]`.
// Without files: the op tests; for threads the executor's own test, then kernels on two threads. Races in Node itself, which is not instrumented, do not count.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const [sanitize = 'address,undefined', ...files] = process.argv.slice(2)
const compiler = process.env.CXX || 'g++'

const OP_TESTS = ['test/native/elementwise.test.ts', 'test/native/program.test.ts', 'test/native/conformance.test.ts']

// Instruction sets share what races: the pool, the executor and how kernels split their work. One is built, which every processor of the kind runs.
const THREADED = { isa: process.arch === 'arm64' ? 'neon' : 'sse41', tests: ['composites', 'program', 'recurrent'] }
const threads = sanitize === 'thread'
const isa = process.env.KAIMO_ISA ?? (threads ? THREADED.isa : undefined)
const ownTests = threads ? THREADED.tests.map((name) => `test/native/${name}.test.ts`) : OP_TESTS

// The thread sanitizer needs addresses where it expects them, which a kernel that spreads them widely does not give.
const FIXED = ['setarch', '-R']
const fixed = threads && spawnSync(FIXED[0], [FIXED[1], 'true']).status === 0

function run(program, list, env = {}) {
  const [command, ...args] = fixed ? [...FIXED, program, ...list] : [program, ...list]
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  if (done.error) throw done.error
  return done.status ?? 1
}

/** The sanitizer's runtime must be loaded before node itself. */
function runtimeLibrary(name) {
  const found = spawnSync(compiler, [`-print-file-name=lib${name}.so`], { encoding: 'utf8' }).stdout.trim()
  if (!existsSync(found)) throw new Error(`${compiler} has no lib${name}.so; install it or choose a compiler by CXX`)
  return found
}

/** The pool, the executor and programs outside of node. */
function testExecutor() {
  const folder = join(root, 'build', 'sanitize-thread')
  mkdirSync(folder, { recursive: true })
  const binary = join(folder, 'executor_test')
  const sources = [
    'test/executor_test.cpp',
    'runtime/executor.cpp',
    'runtime/memory.cpp',
    'runtime/pool.cpp',
    'runtime/program.cpp',
    'runtime/cpu.cpp',
  ].map((name) => join('native', name))
  const flags = ['-std=c++17', '-O1', '-g', '-pthread', `-fsanitize=${sanitize}`]
  const status = run(compiler, [...flags, '-o', binary, ...sources])
  return status === 0 ? run(binary, [], { TSAN_OPTIONS: 'halt_on_error=1' }) : status
}

function testInNode(tests) {
  const built = run(process.execPath, [
    'scripts/build-native.mjs',
    '--sanitize',
    sanitize,
    ...(isa ? ['--isa', isa] : []),
  ])
  if (built !== 0) return built
  const libraries = sanitize
    .split(',')
    .map((name) => runtimeLibrary({ address: 'asan', undefined: 'ubsan', thread: 'tsan' }[name] ?? name))
  const logs = join(root, 'build', `sanitize-${sanitize.replace(',', '-')}`, 'logs')
  rmSync(logs, { recursive: true, force: true })
  mkdirSync(logs)
  const status = run(process.execPath, ['--import', 'tsx', '--test', '--test-concurrency=1', ...tests], {
    LD_PRELOAD: libraries.join(':'),
    ...(isa ? { KAIMO_ISA: isa } : {}),
    ...(threads ? { KAIMO_THREADS: '2' } : {}),
    // Node never frees some of what it allocates; the addon's own memory is counted by its tests.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    TSAN_OPTIONS: `exitcode=0:log_path=${join(logs, 'race')}`,
    KAIMO_ADDON: join(root, 'build', `sanitize-${sanitize.replace(',', '-')}`, 'kaimo.node'),
  })
  return status === 0 ? reportRaces(logs) : status
}

/** Prints the thread sanitizer's reports that name the addon; 1 if there are any. */
function reportRaces(folder) {
  const reports = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), 'utf8').split(/^={18}$/m))
  const ours = reports.filter((report) => report.includes('kaimo.node'))
  for (const report of ours) console.error(report)
  return ours.length > 0 ? 1 : 0
}

const executor = threads && files.length === 0 ? testExecutor() : 0
process.exitCode = executor === 0 ? testInNode(files.length > 0 ? files : ownTests) : executor
