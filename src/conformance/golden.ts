import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type HostArray, parseSafetensors, type SafetensorsBytes } from '../formats/index.js'
import { sizeOf } from '../ir/index.js'
import { leafValue, realise, wrapArray } from '../runtime/index.js'
import { Tensor } from '../tensor/tensor.js'
import { type Values, valuesOf } from './compare.js'

/** A case of a JSON file of references; each area knows its further fields. */
export interface GoldenCase {
  readonly id: string
}

export async function readJson<T>(path: string): Promise<T> {
  const text = await readFile(path, 'utf8')
  try {
    return JSON.parse(text) as T
  } catch (error) {
    throw new SyntaxError(`${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Cases of `<folder>/<stem>.json`. @throws TypeError where the file does not hold a list of cases. */
export async function readCases<T extends GoldenCase>(folder: string, stem: string): Promise<readonly T[]> {
  const path = join(folder, `${stem}.json`)
  const { cases } = await readJson<{ cases?: unknown }>(path)
  if (!Array.isArray(cases)) throw new TypeError(`${path}: expected { "cases": [...] }`)
  for (const item of cases as Partial<GoldenCase>[])
    if (typeof item?.id !== 'string') throw new TypeError(`${path}: expected every case to have an "id"`)
  return cases as T[]
}

/** The tensors that stand beside a JSON file. */
export class GoldenTensors {
  private constructor(
    private readonly file: SafetensorsBytes,
    /** Holds the file, and others that its cases name. */
    readonly folder: string,
  ) {}

  static async read(folder: string, stem: string): Promise<GoldenTensors> {
    const path = join(folder, `${stem}.safetensors`)
    return new GoldenTensors(parseSafetensors(await readFile(path), path), folder)
  }

  has(key: string): boolean {
    return this.file.has(key)
  }

  /** Names that start with `prefix`, in order of the number or name that follows. */
  keys(prefix: string): string[] {
    const keys = this.file.names().filter((key) => key.startsWith(prefix))
    return keys.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  }

  array(key: string): HostArray {
    return this.file.get(key)
  }

  values(key: string): Values {
    const { dtype, shape, data } = this.array(key)
    return valuesOf(dtype, shape, data)
  }

  tensor(key: string): Tensor {
    const { dtype, shape, data } = this.array(key)
    // A copy: a tensor's memory must never change under it, and the arrays of a file share its bytes.
    return new Tensor(leafValue(wrapArray(data.slice(), dtype, shape)))
  }

  /** Entry `row` along the first dimension of an array of this file. */
  rowOf({ dtype, shape, data }: HostArray, row: number): Tensor {
    const size = sizeOf(shape.slice(1))
    const part = data.slice(row * size, (row + 1) * size)
    return new Tensor(leafValue(wrapArray(part, dtype, shape.slice(1))))
  }

  rowValues({ dtype, shape, data }: HostArray, row: number): Values {
    const size = sizeOf(shape.slice(1))
    return valuesOf(dtype, shape.slice(1), data.slice(row * size, (row + 1) * size))
  }
}

/** Runs what the tensors need as one program and returns their contents. */
export async function readValues(tensors: readonly Tensor[]): Promise<Values[]> {
  const buffers = await realise(tensors.map((tensor) => tensor.value))
  return buffers.map((buffer, i) => valuesOf(tensors[i].dtype, tensors[i].shape, buffer.array))
}
