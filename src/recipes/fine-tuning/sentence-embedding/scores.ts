import type { DataArray } from '../../../tensor/index.js'
import type { Logs } from '../../../train/index.js'
import { CORRELATIONS, correlations } from '../correlation.js'
import type { EncodedTexts } from './source.js'

/** Rows among whose second texts the right one is looked for. */
const GROUP = 1000

/** Vectors of length 1 of the texts of a row. */
function vectorsOf(output: DataArray, count: number): Float64Array[] {
  const width = output.length / count
  return Array.from({ length: count }, (_, place) => {
    const vector = Float64Array.from({ length: width }, (_value, i) => Number(output[place * width + i]))
    const norm = Math.max(Math.hypot(...vector), 1e-12)
    return vector.map((value) => value / norm)
  })
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** Share of rows whose first text is nearest to its own second one, among those of its group. */
function retrieved(vectors: readonly (readonly Float64Array[])[]): number {
  let hits = 0
  for (let at = 0; at < vectors.length; at += GROUP) {
    const group = vectors.slice(at, at + GROUP)
    for (const [i, [first]] of group.entries()) {
      const own = dot(first, group[i][1])
      if (group.every(([, other], j) => j === i || dot(first, other) <= own)) hits++
    }
  }
  return hits / vectors.length
}

export const SCORE_NAMES = { scored: CORRELATIONS, unscored: ['accuracy'] } as const

/** Correlations of cosines with scores where all rows have one, else how often what is near comes out nearest. */
export function embeddingScores(rows: readonly EncodedTexts[], outputs: readonly DataArray[]): Logs {
  const count = rows[0].texts.length
  const vectors = outputs.map((output) => vectorsOf(output, count))
  if (rows.every(({ score }) => score !== null)) {
    const cosines = vectors.map(([first, second]) => dot(first, second))
    const scores = rows.map(({ score }) => score ?? 0)
    return correlations(scores, cosines)
  }
  if (count === 2) return { accuracy: retrieved(vectors) }
  const right = vectors.filter(([first, near, far]) => dot(first, near) > dot(first, far))
  return { accuracy: right.length / vectors.length }
}
