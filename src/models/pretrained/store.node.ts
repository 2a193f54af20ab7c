import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LazyHostArray } from '../../formats/index.js'
import { writeFileAtomic, writeSafetensors } from '../../formats/index.node.js'
import { type DType, dtypeBytes, isFloat, sizeOf } from '../../ir/index.js'
import { type Parameter, random } from '../../tensor/index.js'
import { openWeights, readConfigJson, readJsonObject } from './checkpoint.node.js'
import { type BaseConfig, configJson, configText, type JsonObject, parseConfig, withLabels } from './config.js'
import { quantizationConfig } from './int8.js'
import { fileKeyOf } from './keys.js'
import { convertArray, loadWeights } from './load.js'
import { type Family, type ModelClass, type PreTrainedModel, type SaveOptions, setModelStore } from './model.js'
import type { LoadOptions } from './options.js'
import { resolveModelFolder } from './resolve.node.js'

/** The config of a checkpoint with what the caller changes. */
export function configFor(
  family: Family,
  json: Record<string, unknown>,
  source: string,
  options: LoadOptions,
): BaseConfig {
  const config = parseConfig(family.config, { ...json, ...options.config }, source) as BaseConfig
  const labels = options.labels ?? options.numLabels
  return labels === undefined ? config : withLabels(config, labels)
}

async function load<M extends PreTrainedModel>(cls: ModelClass<M>, source: string, options: LoadOptions): Promise<M> {
  const folder = await resolveModelFolder(source, options)
  const json = await readConfigJson(folder)
  const config = configFor(cls.family, json, join(folder, 'config.json'), options)
  const model = random.withoutNumbers(() => new cls(config as never))
  model.generationConfig = (await readJsonObject(join(folder, 'generation_config.json'))) as JsonObject | null
  const weights = await openWeights(folder)
  try {
    model.loadReport = await loadWeights(model, cls.family, weights, options)
  } finally {
    await weights.close()
  }
  return model.eval()
}

const DEFAULT_SHARD = 50e9

const TORCH_NAMES: { readonly [D in DType]?: string } = {
  f32: 'float32',
  f16: 'float16',
  bf16: 'bfloat16',
  f64: 'float64',
}

function storedType(parameter: Parameter, wanted: SaveOptions['dtype']): DType {
  return wanted && isFloat(parameter.dtype) ? wanted : parameter.dtype
}

function lazyArray(parameter: Parameter, dtype: DType): LazyHostArray {
  const { shape } = parameter
  return {
    dtype,
    shape,
    load: async () => {
      const data = await parameter.value.raw()
      return { dtype, shape, data: convertArray({ dtype: parameter.dtype, shape, data }, dtype) }
    },
  }
}

type Named = readonly [name: string, array: LazyHostArray]

/** Cuts the list, in order, where a file would pass `limit` bytes. */
function shardsOf(named: readonly Named[], limit: number): Named[][] {
  const shards: Named[][] = [[]]
  let bytes = 0
  for (const entry of named) {
    const size = bytesOf(entry)
    if (bytes > 0 && bytes + size > limit) {
      shards.push([])
      bytes = 0
    }
    shards[shards.length - 1].push(entry)
    bytes += size
  }
  return shards
}

const bytesOf = ([, { dtype, shape }]: Named): number => sizeOf(shape) * dtypeBytes(dtype)

async function writeWeights(folder: string, named: readonly Named[], options: SaveOptions): Promise<void> {
  const shards = shardsOf(named, options.maxShardBytes ?? DEFAULT_SHARD)
  const metadata = { format: 'pt' }
  const { signal } = options
  const single = join(folder, 'model.safetensors')
  const index = join(folder, 'model.safetensors.index.json')
  if (shards.length === 1) {
    await writeSafetensors(single, new Map(named), metadata, { signal })
    await rm(index, { force: true })
    return
  }
  const count = String(shards.length).padStart(5, '0')
  const map: Record<string, string> = {}
  for (const [i, shard] of shards.entries()) {
    const file = `model-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`
    await writeSafetensors(join(folder, file), new Map(shard), metadata, { signal })
    for (const [name] of shard) map[name] = file
  }
  const total = named.reduce((sum, entry) => sum + bytesOf(entry), 0)
  await writeJson(index, {
    metadata: { total_size: total },
    weight_map: Object.fromEntries(Object.entries(map).sort()),
  })
  await rm(single, { force: true })
}

const writeText = (path: string, text: string): Promise<void> =>
  writeFileAtomic(path, (sink) => sink.write(new TextEncoder().encode(text)))

const writeJson = (path: string, json: object): Promise<void> => writeText(path, `${JSON.stringify(json, null, 2)}\n`)

async function save(model: PreTrainedModel, folder: string, options: SaveOptions): Promise<void> {
  const { family } = model.constructor as unknown as { family: Family }
  await mkdir(folder, { recursive: true })
  const named = [...model.namedParameters()].map(({ name, parameter }): Named => {
    const dtype = storedType(parameter, options.dtype)
    return [fileKeyOf(name, family.keys ?? []), lazyArray(parameter, dtype)]
  })
  const float = named.find(([, { dtype }]) => isFloat(dtype))
  await writeWeights(folder, named, options)
  const dtype = float ? TORCH_NAMES[float[1].dtype] : undefined
  const more = { architectures: [model.constructor.name], ...(dtype ? { dtype } : {}), ...quantizationConfig(model) }
  await writeText(join(folder, 'config.json'), configText(configJson(model.config, more)))
  if (model.generationConfig) await writeJson(join(folder, 'generation_config.json'), model.generationConfig)
}

setModelStore({ load, save })
