import { readdir } from 'node:fs/promises'
import { grad } from '../../tensor/grad.js'
import { Tensor } from '../../tensor/tensor.js'
import { type AreaOptions, runCase } from '../area.js'
import { type Comparison, compareValues, joinComparisons, type Tolerance, type Values } from '../compare.js'
import { type GoldenCase, GoldenTensors, readCases, readValues } from '../golden.js'
import { parsePython } from '../python/parser.js'
import type { CaseResult } from '../report.js'
import { evaluatePython } from './evaluate.js'
import { torchHost } from './host.js'
import { contraction } from './operators.js'
import { flattenResult, fromJson, type PyValue } from './values.js'

interface OpCase extends GoldenCase {
  readonly call: string
  readonly args: Readonly<Record<string, unknown>>
  /** Free names of the call, with their tensors' keys. */
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: readonly string[]
  /** Weight of output i in the sum whose gradients are given. */
  readonly cotangents: Readonly<Record<string, string>>
  readonly grads: Readonly<Record<string, string>>
  readonly atol?: number
  readonly rtol?: number
}

function toleranceOf(record: OpCase): Tolerance {
  if (record.atol === undefined) return { ulps: 2 }
  return { atol: record.atol, rtol: record.rtol ?? 0 }
}

interface Named {
  readonly where: string
  readonly key: string
  readonly tensor: Tensor
}

function gradientsOf(
  record: OpCase,
  outputs: readonly (Tensor | number | boolean)[],
  inputs: ReadonlyMap<string, Tensor>,
  file: GoldenTensors,
): Named[] {
  const names = Object.keys(record.grads)
  if (names.length === 0) return []
  const pairs = Object.entries(record.cotangents).map(([i, key]) => {
    const output = outputs[Number(i)]
    if (!(output instanceof Tensor)) throw new TypeError(`out/${i} has a cotangent but is not a tensor`)
    return [output, file.tensor(key)] as const
  })
  const grads = grad(
    contraction(pairs),
    names.map((name) => inputs.get(name) as Tensor),
  )
  return names.map((name, i) => ({ where: `grad/${name}`, key: record.grads[name], tensor: grads[i] }))
}

/** A plain number of a result in the dtype of its reference. */
const numberValues = (value: number | boolean, want: Values): Values => ({
  dtype: want.dtype,
  shape: [],
  data: [Number(value)],
})

async function compareCase(record: OpCase, file: GoldenTensors): Promise<Comparison> {
  const inputs = new Map(Object.entries(record.inputs).map(([name, key]) => [name, file.tensor(key)]))
  const scope = new Map<string, PyValue>([['a', fromJson(record.args)], ...inputs])
  const outputs = flattenResult(await evaluatePython(parsePython(record.call), scope, torchHost))
  if (outputs.length !== record.outputs.length)
    return { worst: null, reason: `${outputs.length} results, expected ${record.outputs.length}` }
  const grads = gradientsOf(record, outputs, inputs, file)
  const tensors: Named[] = []
  const comparisons: Comparison[] = []
  outputs.forEach((output, i) => {
    const [where, key] = [`out/${i}`, record.outputs[i]]
    if (output instanceof Tensor) tensors.push({ where, key, tensor: output })
    else
      comparisons.push(
        compareValues(numberValues(output, file.values(key)), file.values(key), toleranceOf(record), where),
      )
  })
  tensors.push(...grads)
  const values = await readValues(tensors.map(({ tensor }) => tensor))
  tensors.forEach(({ where, key }, i) => {
    comparisons.push(compareValues(values[i], file.values(key), toleranceOf(record), where))
  })
  return joinComparisons(comparisons)
}

/** Tensor functions with gradients: `<group>.json` + `<group>.safetensors`. */
export async function runOps(folder: string, { wants, onCase }: AreaOptions): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  const stems = (await readdir(folder))
    .filter((name) => name.endsWith('.json') && !name.startsWith('_'))
    .map((name) => name.slice(0, -5))
    .sort()
  for (const stem of stems) {
    const cases = (await readCases<OpCase>(folder, stem)).filter(({ id }) => wants(stem, id))
    if (cases.length === 0) continue
    const file = await GoldenTensors.read(folder, stem)
    for (const record of cases) {
      const result = await runCase(`${stem}/${record.id}`, () => compareCase(record, file))
      results.push(result)
      onCase?.(result)
    }
  }
  return results
}
