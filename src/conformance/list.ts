import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AreaOptions } from './area.js'
import { readJson } from './golden.js'

type Wants = AreaOptions['wants']

async function casesOfFile(folder: string, name: string): Promise<string[]> {
  const content = await readJson<{ cases?: unknown } | null>(join(folder, name))
  const cases = content?.cases
  if (!Array.isArray(cases)) return []
  return cases.map((item: { id?: unknown }, i) => (typeof item?.id === 'string' ? item.id : String(i)))
}

/** Ids of the cases of an area that cannot be run: those that its files list, and one for each subfolder or file that lists none. */
export async function listCases(folder: string, wants: Wants): Promise<string[]> {
  const found: string[] = []
  const add = (stem: string, id: string): void => {
    if (wants(stem, id)) found.push(id === stem ? id : `${stem}/${id}`)
  }
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) add(entry.name, entry.name)
    else if (entry.name.endsWith('.json') && !entry.name.startsWith('_')) {
      const stem = entry.name.slice(0, -'.json'.length)
      const ids = await casesOfFile(folder, entry.name)
      for (const id of ids.length > 0 ? ids : [stem]) add(stem, id)
    }
  }
  return found
}
