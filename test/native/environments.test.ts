import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { changedSources } from '../../src/backends/cpu/stale.js'
import { native } from './agree.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url))

/** A worker that loads TypeScript. */
function startWorker(name: string): Worker {
  const code = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(`file://${fixture(name)}`)}) })`
  return new Worker(code, { eval: true })
}

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

async function runProcess(
  name: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', fixture(name), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal, stdout, stderr }
}

test('workers and the main thread share one executor and agree', native, async () => {
  const workers = [startWorker('steps'), startWorker('steps'), startWorker('steps')]
  const hashes = await Promise.all(workers.map(async (worker) => ((await once(worker, 'message')) as [number])[0]))
  const alone = Number((await runProcess('steps')).stdout)
  assert.deepEqual(hashes, [alone, alone, alone])
})

test('a worker is terminated in the middle of a run; others go on', native, async () => {
  for (let round = 0; round < 3; round++) {
    const busy = startWorker('busy')
    await once(busy, 'message')
    await busy.terminate()
    const steps = startWorker('steps')
    const [hash] = (await once(steps, 'message')) as [number]
    assert.ok(Number.isInteger(hash))
    await steps.terminate()
  }
})

test('a process that exits in the middle of a run keeps its exit code', native, async () => {
  const ended = await runProcess('busy', ['exit'])
  assert.deepEqual([ended.code, ended.signal, ended.stderr], [7, null, ''])
})

test('a process that throws in the middle of a run dies of that error', native, async () => {
  const ended = await runProcess('busy', ['throw'])
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /thrown on purpose/)
})

test('a process is ended by a signal in the middle of a run', native, async () => {
  assert.equal((await runProcess('busy', ['signal'])).signal, 'SIGTERM')
})

test('one, two and many threads give the same bits', native, async () => {
  for (const name of ['steps', 'conv-block']) {
    const outputs: string[] = []
    for (const threads of ['1', '2', '7']) outputs.push((await runProcess(name, [], { KAIMO_THREADS: threads })).stdout)
    assert.match(outputs[0], /^-?\d+\n$/)
    assert.equal(outputs[1], outputs[0])
    assert.equal(outputs[2], outputs[0])
  }
})

test('overrides that cannot run here are named', native, async () => {
  const isa = await runProcess('steps', [], { KAIMO_ISA: 'itanium' })
  assert.notEqual(isa.code, 0)
  assert.match(isa.stderr, /KAIMO_ISA=itanium cannot run here/)
  const threads = await runProcess('steps', [], { KAIMO_THREADS: 'many' })
  assert.match(threads.stderr, /KAIMO_THREADS must be an integer from 1 to 256, got 'many'/)
})

test('a missing addon says how to build it', native, async () => {
  const ended = await runProcess('steps', [], { KAIMO_ADDON: '/nowhere/kaimo.node' })
  assert.match(ended.stderr, /native addon was not built .*npm run build:native/)
})

test('an addon built from other sources than those present is told', native, () => {
  const folder = mkdtempSync(join(tmpdir(), 'kaimo-stale-'))
  try {
    const addon = join(folder, 'build', 'kaimo.node')
    const source = join(folder, 'native', 'kernel.h')
    mkdirSync(join(folder, 'build'))
    mkdirSync(join(folder, 'native', 'addon'), { recursive: true })
    writeFileSync(addon, '')
    writeFileSync(source, 'old')
    const sha256 = createHash('sha256').update('old').digest('hex')
    assert.deepEqual(changedSources(addon), [], 'no record')
    writeFileSync(`${addon}.sources.json`, JSON.stringify({ 'native/kernel.h': [3, sha256] }))
    const later = new Date(Date.now() + 10_000)
    utimesSync(source, later, later)
    assert.deepEqual(changedSources(addon), [], 'touched, not changed')
    writeFileSync(source, 'new')
    utimesSync(source, later, later)
    assert.deepEqual(changedSources(addon), ['native/kernel.h'])
    writeFileSync(source, 'newer')
    utimesSync(source, 0, 0)
    assert.deepEqual(changedSources(addon), ['native/kernel.h'], 'of another size')
    rmSync(source)
    assert.deepEqual(changedSources(addon), ['native/kernel.h'], 'gone')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
