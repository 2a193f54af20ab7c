/** Prints one JSON document on one line. Numbers that JSON lacks become the strings NaN, Infinity, -Infinity. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, (_key, item) =>
    typeof item === 'number' && !Number.isFinite(item) ? String(item) : item,
  )
  process.stdout.write(`${text}\n`)
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** Prints rows under headings; columns of numbers are right-aligned. */
export async function printTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): Promise<void> {
  const { default: Table } = await import('cli-table3')
  const numeric = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'))
  const table = new Table({
    head: [...head],
    colAligns: numeric.map((right) => (right ? 'right' : 'left')),
    style: { head: process.stdout.isTTY ? ['bold'] : [], border: [], compact: true },
  })
  for (const row of rows) table.push(row.map((cell) => (typeof cell === 'number' ? formatCount(cell) : cell)))
  printLine(table.toString())
}

/** 1234567 as 1,234,567. */
export const formatCount = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en-US') : String(value)

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function formatBytes(bytes: number): string {
  let unit = 0
  let size = bytes
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`
}
