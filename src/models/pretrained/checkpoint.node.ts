import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openTensorFile } from '../../formats/index.node.js'
import { isRecord, parseStrictJson } from '../../formats/strict-json.js'
import type { WeightSource } from './load.js'

const MAX_CONFIG_BYTES = 16 * 1024 * 1024

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Numbers that JSON lacks and Python writes all the same, as transformers 5 writes them: { "__float__": "Infinity" }. */
function withNumbers(bytes: Buffer): Uint8Array {
  if (!bytes.includes('Infinity') && !bytes.includes('NaN')) return bytes
  const text = bytes.toString('utf8')
  const fixed = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (part) =>
    part.startsWith('"') ? part : `{"__float__":"${part}"}`,
  )
  return Buffer.from(fixed)
}

/** A JSON object of a model folder; null where the file is absent. @throws FormatError naming the file */
export async function readJsonObject(path: string): Promise<Record<string, unknown> | null> {
  const info = await stat(path).catch(() => null)
  if (!info) return null
  if (info.size > MAX_CONFIG_BYTES)
    throw new RangeError(`${path} has ${info.size} bytes, at most ${MAX_CONFIG_BYTES} are read`)
  const json = parseStrictJson(withNumbers(await readFile(path)), path)
  if (!isRecord(json)) throw new TypeError(`${path}: expected a JSON object`)
  return json
}

/** The `config.json` of a folder. @throws Error where there is none */
export async function readConfigJson(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'config.json')
  const json = await readJsonObject(path)
  if (!json) throw new Error(`${folder} holds no config.json, so it is no model folder`)
  return json
}

export interface OpenWeights extends WeightSource {
  close(): Promise<void>
}

async function openTensors(path: string): Promise<OpenWeights> {
  const file = await openTensorFile(path)
  return {
    source: path,
    shapes: new Map([...file.entries].map(([name, entry]) => [name, entry.shape])),
    read: (name) => file.read(name, { map: true }),
    close: () => file.close(),
  }
}

/** Files that hold a model's weights, in the order in which they are preferred. */
const LAYOUTS: readonly (readonly [name: string, open: (path: string) => Promise<OpenWeights>])[] = [
  ['model.safetensors', openTensors],
  ['model.safetensors.index.json', openTensors],
  ['pytorch_model.bin', openTensors],
  ['pytorch_model.bin.index.json', openTensors],
]

/** Opens the weights of a model folder. @throws Error naming the files that would do */
export async function openWeights(folder: string): Promise<OpenWeights> {
  for (const [name, open] of LAYOUTS) {
    const path = join(folder, name)
    if (await exists(path)) return open(path)
  }
  throw new Error(`${folder} holds no weights: expected ${LAYOUTS.map(([name]) => name).join(' or ')}`)
}
