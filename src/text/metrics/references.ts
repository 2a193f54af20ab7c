/** One string per hypothesis, or several streams of them; null where a stream has no reference for a hypothesis. */
export type References = readonly (readonly (string | null | undefined)[])[]

/** The references of each hypothesis. @throws RangeError where lengths differ or a hypothesis has none. */
export function referencesPerHypothesis(
  name: string,
  hypotheses: readonly string[],
  references: References,
): string[][] {
  if (hypotheses.length === 0) throw new RangeError(`${name}: expected at least one hypothesis, got none`)
  if (references.length === 0) throw new RangeError(`${name}: expected at least one stream of references, got none`)
  for (const [i, stream] of references.entries()) {
    if (typeof stream === 'string')
      throw new TypeError(`${name}: expected streams of references, got a string; wrap it: [references]`)
    if (stream.length !== hypotheses.length)
      throw new RangeError(`${name}: expected ${hypotheses.length} references in stream ${i}, got ${stream.length}`)
  }
  return hypotheses.map((_, i) => {
    const own = references
      .map((stream) => stream[i])
      .filter((line): line is string => line !== null && line !== undefined)
    if (own.length === 0) throw new RangeError(`${name}: hypothesis ${i} has no reference`)
    return own
  })
}

/** Element-wise sums of rows of equal length. */
export function sumRows(rows: readonly (readonly number[])[]): number[] {
  return rows[0].map((_, i) => rows.reduce((sum, row) => sum + row[i], 0))
}
