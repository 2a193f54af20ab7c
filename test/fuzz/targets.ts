/** What is fuzzed: whole files to start from, how they are broken, and the reader that must survive. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  bytesSource,
  FileError,
  FormatError,
  type HostArray,
  hdf5Arrays,
  loadTorchStateDict,
  parseNpy,
  parseSafetensors,
  readHdf5,
  readTorchCheckpoint,
  serializeNpy,
  serializeSafetensors,
  ZipArchive,
} from '../../src/formats/index.node.js'
import { parseStrictJson } from '../../src/formats/strict-json.js'
import { modelFromJson } from '../../src/train/keras/config.js'
import { loadWeightTree } from '../../src/train/keras/weights.js'
import { storedZip, torchZip } from '../unit/formats/helpers.js'
import '../../src/node.js'
import { mutate, type Random } from './mutate.js'

export interface Target {
  readonly name: string
  /** A broken file. */
  make(random: Random): Uint8Array | Promise<Uint8Array>
  /** Reads it; gives the bytes of what came out. */
  read(file: Uint8Array): Promise<number>
}

const fixture = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`../unit/${path}`, import.meta.url))))

const sizeOf = (arrays: Iterable<HostArray>): number =>
  [...new Set([...arrays].map(({ data }) => data))].reduce((sum, data) => sum + data.byteLength, 0)

const array: HostArray = { dtype: 'f32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }
const tensors = serializeSafetensors(
  { a: array, 'b.c': { dtype: 'i64', shape: [], data: BigInt64Array.of(7n) } },
  { k: 'v' },
)

const torch = (name: string): Uint8Array => fixture(`formats/fixtures/torch/${name}`)
const zips = ['zip-1.pt', 'zip-2.pt', 'zip-4.pt', 'zip-5.pt'].map(torch)
const legacies = ['legacy-1.pt', 'legacy-2.pt', 'legacy-5.pt', 'gadget-legacy.pt'].map(torch)

/** The pickle and the storages of a checkpoint, so that changes to the pickle are not stopped by the archive's checksums. */
async function unpacked(file: Uint8Array): Promise<{ pickle: Uint8Array; storages: Record<string, Uint8Array> }> {
  const archive = await ZipArchive.open(bytesSource(file, 'zip'))
  const storages: Record<string, Uint8Array> = {}
  let pickle = new Uint8Array(0)
  for (const name of archive.entries.keys()) {
    const content = new Uint8Array(await archive.read(name))
    if (name.endsWith('/data.pkl')) pickle = content
    const key = /\/data\/(\w+)$/.exec(name)?.[1]
    if (key !== undefined) storages[key] = content
  }
  return { pickle, storages }
}

const parts = await Promise.all(zips.map(unpacked))

async function readTorch(file: Uint8Array): Promise<number> {
  const size = sizeOf((await loadTorchStateDict(file)).values())
  await readTorchCheckpoint(file)
  return size
}

/** Opcodes at random, each with whatever follows. */
function randomPickle(random: Random): Uint8Array {
  const opcodes =
    '(.012FIJKLMNPQRSTUVXabcd}eghijl]opqrst)uGBC\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8f\x90\x91\x93\x94\x95'
  const simple = '(]}N)K\x01tle'
  const length = random.below(200)
  const code = Array.from({ length }, () =>
    random.next() < 0.5 ? random.pick([...simple]) : random.pick([...opcodes]),
  )
  return Buffer.from(`${code.join('')}.`, 'latin1')
}

const hdf5Files = ['normalized.weights.h5', 'normalized.h5', 'recurrent.h5'].map((name) =>
  fixture(`train/fixtures/keras/${name}`),
)

async function readArchive(file: Uint8Array): Promise<number> {
  const archive = await ZipArchive.open(bytesSource(file, 'zip'))
  let bytes = 0
  for (const name of archive.entries.keys()) bytes += (await archive.read(name)).length
  return bytes
}

const kerasParts = await Promise.all(
  ['nested.keras', 'attention.keras', 'recurrent.keras'].map(async (name) => {
    const archive = await ZipArchive.open(bytesSource(fixture(`train/fixtures/keras/${name}`), name))
    return { config: await archive.read('config.json'), weights: await archive.read('model.weights.h5') }
  }),
)

/** Architecture and weights of a Keras model, as `loadKerasModel` takes them from the archive. */
async function readKeras(file: Uint8Array): Promise<number> {
  const archive = await ZipArchive.open(bytesSource(file, 'x.keras'))
  const json = parseStrictJson(await archive.read('config.json'), 'x.keras')
  const model = modelFromJson(json, 'x.keras')
  loadWeightTree(model, readHdf5(await archive.read('model.weights.h5')), 'x.keras')
  return 0
}

export const TARGETS: readonly Target[] = [
  {
    name: 'safetensors',
    make: (random) => mutate(tensors, random, 'json'),
    read: async (file) => sizeOf(parseSafetensors(file).all().values()),
  },
  {
    name: 'safetensors-header',
    // The header's length stays right, so that what it says is reached.
    make: (random) => {
      const length = Number(new DataView(tensors.buffer, tensors.byteOffset).getBigUint64(0, true))
      const header = mutate(tensors.subarray(8, 8 + length), random, 'json')
      const prefix = new Uint8Array(8)
      new DataView(prefix.buffer).setBigUint64(0, BigInt(header.length), true)
      return Buffer.concat([prefix, header, tensors.subarray(8 + length)])
    },
    read: async (file) => sizeOf(parseSafetensors(file).all().values()),
  },
  { name: 'torch-zip', make: (random) => mutate(random.pick(zips), random), read: readTorch },
  {
    name: 'torch-pickle',
    make: (random) => {
      const { pickle, storages } = random.pick(parts)
      return torchZip(mutate(pickle, random, 'pickle'), storages)
    },
    read: readTorch,
  },
  { name: 'torch-opcodes', make: (random) => torchZip(randomPickle(random)), read: readTorch },
  { name: 'torch-legacy', make: (random) => mutate(random.pick(legacies), random, 'pickle'), read: readTorch },
  {
    name: 'hdf5',
    make: (random) => mutate(random.pick(hdf5Files), random),
    read: async (file) => sizeOf(hdf5Arrays(readHdf5(file)).values()),
  },
  {
    name: 'keras',
    make: (random) => {
      const { config, weights } = random.pick(kerasParts)
      return storedZip({ 'config.json': mutate(config, random, 'json'), 'model.weights.h5': weights })
    },
    read: readKeras,
  },
  {
    name: 'npy',
    make: (random) => mutate(serializeNpy(array), random),
    read: async (file) => sizeOf([parseNpy(file)]),
  },
  { name: 'zip', make: (random) => mutate(random.pick(zips), random), read: readArchive },
]

/** Views may overlap, so a little more than the file can come out; deflate packs a thousandfold. */
export const outputLimit = (fileBytes: number, name: string): number =>
  fileBytes * (name === 'hdf5' || name === 'zip' ? 1032 : 4) + 64 * 1024

/** What a reader may answer to a broken file. */
export const isClear = (error: unknown): boolean =>
  (error instanceof FormatError || error instanceof FileError) &&
  error.message.length > 10 &&
  error.message.length < 2000

/** Whole files must pass: else the fuzzing proves nothing. */
export const WHOLE: readonly (readonly [target: string, file: Uint8Array])[] = [
  ['safetensors', tensors],
  ...zips.map((file) => ['torch-zip', file] as const),
  ['torch-legacy', legacies[0]],
  ...hdf5Files.map((file) => ['hdf5', file] as const),
]
