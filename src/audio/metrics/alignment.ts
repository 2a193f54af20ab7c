/** Counts of one optimal alignment of two sequences. */
export interface EditCounts {
  readonly hits: number
  readonly substitutions: number
  readonly deletions: number
  readonly insertions: number
}

/** Half-open spans of the reference and the hypothesis that belong together. */
export interface AlignmentChunk {
  readonly type: 'equal' | 'substitute' | 'delete' | 'insert'
  readonly reference: readonly [start: number, end: number]
  readonly hypothesis: readonly [start: number, end: number]
}

type Step = AlignmentChunk['type']

const LIMIT = 2 ** 31

/** Which of the moves into each cell is optimal: bit 0 a deletion, bit 1 an insertion. */
function moves(reference: readonly string[], hypothesis: readonly string[]): Uint8Array {
  const [n, m] = [reference.length, hypothesis.length]
  if ((n + 1) * (m + 1) > LIMIT)
    throw new RangeError(`sequences of ${n} and ${m} are too long to align; split them into sentences`)
  const flags = new Uint8Array((n + 1) * (m + 1))
  // Distances of prefixes, one row (prefix of the reference) at a time.
  let above = Uint32Array.from({ length: m + 1 }, (_, j) => j)
  for (let i = 1; i <= n; i++) {
    const row = new Uint32Array(m + 1)
    row[0] = i
    for (let j = 1; j <= m; j++) {
      const same = reference[i - 1] === hypothesis[j - 1]
      row[j] = Math.min(above[j - 1] + (same ? 0 : 1), above[j] + 1, row[j - 1] + 1)
      const deletes = row[j] === above[j] + 1
      const inserts = row[j - 1] + 1 === above[j - 1]
      flags[i * (m + 1) + j] = (deletes ? 1 : 0) | (inserts ? 2 : 0)
    }
    above = row
  }
  return flags
}

/** Steps of a shortest edit script. Of equal ones the choice is RapidFuzz's, on which jiwer's counts rest: from the end, deletion first, then insertion. */
function steps(reference: readonly string[], hypothesis: readonly string[]): Step[] {
  const flags = moves(reference, hypothesis)
  const width = hypothesis.length + 1
  const out: Step[] = []
  let [i, j] = [reference.length, hypothesis.length]
  while (i > 0 && j > 0) {
    const flag = flags[i * width + j]
    if (flag & 1) {
      out.push('delete')
      i--
    } else if (flag & 2) {
      out.push('insert')
      j--
    } else {
      out.push(reference[i - 1] === hypothesis[j - 1] ? 'equal' : 'substitute')
      i--
      j--
    }
  }
  for (; i > 0; i--) out.push('delete')
  for (; j > 0; j--) out.push('insert')
  return out.reverse()
}

/** Alignment of two sequences with the least edits (Levenshtein 1966), as runs of equal steps. */
export function alignSequences(reference: readonly string[], hypothesis: readonly string[]): AlignmentChunk[] {
  let start = 0
  let [n, m] = [reference.length, hypothesis.length]
  while (start < n && start < m && reference[start] === hypothesis[start]) start++
  while (n > start && m > start && reference[n - 1] === hypothesis[m - 1]) {
    n--
    m--
  }
  const equal = (count: number): Step[] => new Array<Step>(count).fill('equal')
  const middle = steps(reference.slice(start, n), hypothesis.slice(start, m))
  const chunks: { type: Step; reference: [number, number]; hypothesis: [number, number] }[] = []
  let [i, j] = [0, 0]
  for (const type of [...equal(start), ...middle, ...equal(reference.length - n)]) {
    let last = chunks[chunks.length - 1]
    if (last?.type !== type) {
      last = { type, reference: [i, i], hypothesis: [j, j] }
      chunks.push(last)
    }
    if (type !== 'insert') last.reference[1] = ++i
    if (type !== 'delete') last.hypothesis[1] = ++j
  }
  return chunks
}

/** Counts of the steps of alignments. */
export function countEdits(alignments: readonly (readonly AlignmentChunk[])[]): EditCounts {
  const counts: Record<Step, number> = { equal: 0, substitute: 0, delete: 0, insert: 0 }
  for (const chunks of alignments)
    for (const { type, reference, hypothesis } of chunks)
      counts[type] += Math.max(reference[1] - reference[0], hypothesis[1] - hypothesis[0])
  return { hits: counts.equal, substitutions: counts.substitute, deletions: counts.delete, insertions: counts.insert }
}
