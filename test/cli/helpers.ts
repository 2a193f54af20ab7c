import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import '../../src/tensor/index.js'
import { main } from '../../src/cli/main.js'

// Found from here, since commands run in other folders.
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const LAUNCHER = fileURLToPath(new URL('fixtures/kaimo.ts', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called every few milliseconds; what it returns is sent to the process, once. */
  readonly signalWhen?: () => NodeJS.Signals | null
}

/** Runs the command line in a process of its own. */
export function kaimo(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(process.execPath, ['--import', TSX, LAUNCHER, ...args], {
    cwd: options.cwd,
    env: { ...process.env, KAIMO_DATA_DIR: '', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.stdin ?? '')
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  const timer = setInterval(() => {
    const signal = options.signalWhen?.()
    if (!signal) return
    clearInterval(timer)
    child.kill(signal)
  }, 10)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearInterval(timer)
      resolve({ code, signal, stdout, stderr })
    })
  })
}

type Write = typeof process.stdout.write

/** Takes what is written as text; the test runner's own messages are bytes and pass. */
function capture(stream: NodeJS.WriteStream): { text: () => string; restore: () => void } {
  const original = stream.write
  let text = ''
  stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
    if (typeof chunk !== 'string') return original.call(stream, chunk, ...rest)
    text += chunk
    return true
  }) as Write
  return {
    text: () => text,
    restore: () => {
      stream.write = original
    },
  }
}

/** Runs the command line in this process, in the folder `cwd`: much faster, for commands that end by themselves. */
export async function kaimoHere(args: readonly string[], cwd: string): Promise<Finished> {
  process.setMaxListeners(0)
  process.chdir(cwd)
  delete process.env.KAIMO_DATA_DIR
  const [out, err] = [capture(process.stdout), capture(process.stderr)]
  try {
    const code = await main(args)
    return { code, signal: null, stdout: out.text(), stderr: err.text() }
  } finally {
    out.restore()
    err.restore()
  }
}

/** A folder for one test file, removed at its end. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kaimo-cli-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const GOOD = ['好', '棒', '喜欢', '满意', '干净']
const BAD = ['差', '坏', '讨厌', '失望', '肮脏']
const FILLER = ['房间', '早餐', '服务', '位置', '床', '窗外', '前台', '电梯', '网络', '停车']

/** Sentences whose class one word tells: `rows` of each class. */
export function sentences(rows: number): { text: string; label: number }[] {
  return Array.from({ length: 2 * rows }, (_, i) => {
    const words = i % 2 === 0 ? BAD : GOOD
    const filler = FILLER[i % FILLER.length] + FILLER[(i * 7 + 3) % FILLER.length].repeat(1 + (i % 4))
    return { text: `${filler}真${words[i % words.length]}${i}`, label: i % 2 }
  })
}

export function writeSentences(path: string, rows = 40): void {
  const lines = sentences(rows).map(({ text, label }) => `${label},"${text}"`)
  writeFileSync(path, `label,text\n${lines.join('\n')}\n`)
}

function idx(code: number, shape: readonly number[], data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length)
  const view = new DataView(bytes.buffer)
  bytes.set([0, 0, code, shape.length])
  for (const [i, size] of shape.entries()) view.setUint32(4 + 4 * i, size)
  bytes.set(data, 4 + 4 * shape.length)
  return bytes
}

/** Images of `size` x `size`: class 0 is bright above, class 1 below. */
export function imagePixels(label: number, number: number, size = 8): Uint8Array {
  return Uint8Array.from({ length: size * size }, (_, i) => {
    const above = i < (size * size) / 2
    return (above === (label === 0) ? 200 : 20) + ((i * 31 + number * 17) % 40)
  })
}

export function writeImages(folder: string, name: string, count: number, size = 8): void {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2)
  const pixels = new Uint8Array(count * size * size)
  for (const [i, label] of labels.entries()) pixels.set(imagePixels(label, i, size), i * size * size)
  writeFileSync(join(folder, `${name}-images.idx`), idx(8, [count, size, size], pixels))
  writeFileSync(join(folder, `${name}-labels.idx`), idx(8, [count], labels))
}

export const textRecipe = (output: string, changes: object = {}): object => ({
  task: 'text-classification',
  name: 'tiny-text',
  seed: 3,
  data: {
    train: { path: 'texts.csv' },
    labels: ['bad', 'good'],
    split: { by: 'fnv1a', buckets: 5, test: [0], validation: [1] },
  },
  tokenizer: { minCount: 1, maxLength: 40 },
  characterDropout: 0.1,
  model: { architecture: 'text-cnn', embeddingDim: 8, filters: 8, kernelSizes: [1, 2, 3] },
  optimizer: { name: 'adamw', learningRate: 0.02, schedule: { type: 'cosine', warmupSteps: 3 } },
  epochs: 6,
  batchSize: 8,
  output,
  ...changes,
})

/** Writes a recipe beside the data and returns its path. */
export function writeRecipe(folder: string, name: string, recipe: object): string {
  const path = join(folder, `${name}.json`)
  writeFileSync(path, JSON.stringify(recipe))
  return path
}
