import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { TensorFile } from '../../formats/index.node.js'
import { type CliCommand, UsageError } from '../command.js'
import { formatBytes, formatCount, printJson, printLine, printTable } from '../output.js'

interface Options {
  readonly filter?: string
}

interface TensorRow {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly elements: number
  readonly bytes: number
}

interface Total {
  tensors: number
  elements: number
  bytes: number
}

type Config = Readonly<Record<string, unknown>>

function rowsOf(file: TensorFile, filter: RegExp | null): TensorRow[] {
  const rows: TensorRow[] = []
  for (const [name, entry] of file.entries) {
    if (filter && !filter.test(name)) continue
    const elements = entry.shape.reduce((product, extent) => product * extent, 1)
    rows.push({ name, dtype: entry.storedDType, shape: entry.shape, elements, bytes: entry.bytes })
  }
  return rows
}

function totals(rows: readonly TensorRow[]): { total: Total; byDtype: Record<string, Total> } {
  const byDtype: Record<string, Total> = {}
  const total: Total = { tensors: 0, elements: 0, bytes: 0 }
  for (const row of rows) {
    byDtype[row.dtype] ??= { tensors: 0, elements: 0, bytes: 0 }
    for (const sum of [total, byDtype[row.dtype]]) {
      sum.tensors++
      sum.elements += row.elements
      sum.bytes += row.bytes
    }
  }
  return { total, byDtype }
}

async function readConfig(folder: string): Promise<Config | null> {
  const path = join(folder, 'config.json')
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return null
  try {
    return JSON.parse(text) as Config
  } catch (error) {
    throw new Error(`${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Plain settings of a configuration; long lists and nested objects are left out. */
function configRows(config: Config): [string, string][] {
  const short = (value: unknown): boolean =>
    value === null || typeof value !== 'object' || (Array.isArray(value) && JSON.stringify(value).length <= 60)
  return Object.entries(config)
    .filter(([, value]) => short(value))
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)])
}

async function printInspection(
  path: string,
  rows: readonly TensorRow[],
  config: Config | null,
  metadata: Config,
): Promise<void> {
  if (config) await printTable(['config.json', ''], configRows(config))
  for (const [name, value] of Object.entries(metadata)) printLine(`metadata ${name}: ${String(value)}`)
  await printTable(
    ['tensor', 'dtype', 'shape', 'elements', 'size'],
    rows.map((row) => [row.name, row.dtype, `[${row.shape.join(', ')}]`, row.elements, formatBytes(row.bytes)]),
  )
  const { total, byDtype } = totals(rows)
  const parts = Object.entries(byDtype).map(([dtype, sum]) => `${formatCount(sum.elements)} ${dtype}`)
  printLine(
    `${path}: ${formatCount(total.tensors)} tensors, ${formatCount(total.elements)} elements (${parts.join(', ') || 'none'}), ${formatBytes(total.bytes)}`,
  )
}

function tensorFilter(text: string | undefined): RegExp | null {
  if (text === undefined) return null
  try {
    return new RegExp(text)
  } catch (error) {
    throw new UsageError(`--filter: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export const command: CliCommand<Options> = {
  configure(command: Command) {
    command
      .argument('<path>', 'a safetensors or PyTorch file, an index of shards, or a checkpoint folder')
      .option('--filter <regex>', 'tensors whose name matches')
  },
  async run({ args: [path], options }) {
    const filter = tensorFilter(options.filter)
    const found = await stat(path).catch(() => null)
    if (!found) throw new UsageError(`there is no file or folder ${path}`)
    const { openTensorFile } = await import('../../formats/index.node.js')
    const config = found.isDirectory() ? await readConfig(path) : null
    const file = await openTensorFile(path)
    try {
      const rows = rowsOf(file, filter)
      if (options.json) printJson({ path, config, metadata: file.metadata, ...totals(rows), tensors: rows })
      else await printInspection(path, rows, config, file.metadata)
    } finally {
      await file.close()
    }
  },
}
