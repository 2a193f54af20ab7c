import type { Comparison } from '../compare.js'

/** Null where two JSON values are equal, else where they first differ. */
export function difference(got: unknown, want: unknown, where: string): string | null {
  if (Array.isArray(got) && Array.isArray(want)) {
    for (let i = 0; i < Math.max(got.length, want.length); i++) {
      if (i >= got.length || i >= want.length)
        return `${where}: ${got.length} entries, expected ${want.length}; [${i}] is ${show((i < got.length ? got : want)[i])}`
      const found = difference(got[i], want[i], `${where}[${i}]`)
      if (found !== null) return found
    }
    return null
  }
  return got === want ? null : `${where} is ${show(got)}, expected ${show(want)}`
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 120 ? `${text.slice(0, 120)}...` : text
}

/** Compares pairs of got and wanted values by name; the first difference is the reason. */
export function exactly(pairs: Readonly<Record<string, readonly [unknown, unknown]>>, about: string): Comparison {
  for (const [name, [got, want]] of Object.entries(pairs)) {
    const found = difference(got, want, name)
    if (found !== null) return { worst: null, reason: `${about}: ${found}` }
  }
  return { worst: null, reason: null }
}
