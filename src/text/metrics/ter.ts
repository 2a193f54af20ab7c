import { stripEnd } from '../python-text.js'
import { type References, referencesPerHypothesis, sumRows } from './references.js'
import { type TercomOptions, tercomWords } from './tokenize.js'

// Reference: sacrebleu.metrics.ter and lib_ter, which follow Tercom (Snover et al. 2006).

const MAX_SHIFT_SIZE = 10
const MAX_SHIFT_DISTANCE = 50
const BEAM_WIDTH = 25
const MAX_SHIFT_CANDIDATES = 1000

type Operation = 'keep' | 'substitute' | 'insert' | 'delete'

interface Alignment {
  readonly distance: number
  /** From left to right; 'delete' takes a word of the hypothesis away, 'insert' adds one of the reference. */
  readonly operations: readonly Operation[]
}

function beamWidth(ratio: number): number {
  return BEAM_WIDTH < ratio / 2 ? Math.ceil(ratio / 2 + BEAM_WIDTH) : BEAM_WIDTH
}

/** Edit distance within a beam around the diagonal. Of equal costs substitution comes first, then deletion. */
function editDistance(hypothesis: readonly string[], reference: readonly string[]): Alignment {
  const [n, m] = [hypothesis.length, reference.length]
  const width = m + 1
  const cost = new Float64Array((n + 1) * width).fill(Number.POSITIVE_INFINITY)
  const chosen = new Array<Operation>((n + 1) * width).fill('insert')
  for (let j = 0; j <= m; j++) cost[j] = j
  const ratio = n > 0 ? m / n : 1
  const beam = beamWidth(ratio)
  const take = (at: number, value: number, operation: Operation): void => {
    if (!(cost[at] > value)) return
    cost[at] = value
    chosen[at] = operation
  }
  for (let i = 1; i <= n; i++) {
    const diagonal = Math.floor(i * ratio)
    const end = i === n ? width : Math.min(width, diagonal + beam)
    for (let j = Math.max(0, diagonal - beam); j < end; j++) {
      const at = i * width + j
      if (j > 0) {
        const same = hypothesis[i - 1] === reference[j - 1]
        take(at, cost[at - width - 1] + (same ? 0 : 1), same ? 'keep' : 'substitute')
      }
      take(at, cost[at - width] + 1, 'delete')
      if (j > 0) take(at, cost[at - 1] + 1, 'insert')
    }
  }
  const operations: Operation[] = []
  for (let [i, j] = [n, m]; i > 0 || j > 0; ) {
    const operation = chosen[i * width + j]
    operations.push(operation)
    if (operation !== 'insert') i--
    if (operation !== 'delete') j--
  }
  return { distance: cost[n * width + m], operations: operations.reverse() }
}

interface Errors {
  /** Position in the hypothesis that each position of the reference is aligned to. */
  readonly align: readonly number[]
  readonly hypothesis: readonly boolean[]
  readonly reference: readonly boolean[]
}

function errorsOf(operations: readonly Operation[]): Errors {
  const align: number[] = []
  const [hypothesis, reference]: boolean[][] = [[], []]
  let at = -1
  for (const operation of operations) {
    const wrong = operation !== 'keep'
    if (operation !== 'insert') {
      at++
      hypothesis.push(wrong)
    }
    if (operation !== 'delete') {
      align.push(at)
      reference.push(wrong)
    }
  }
  return { align, hypothesis, reference }
}

/** Runs of equal words: [start in the hypothesis, start in the reference, length]. */
function* matchingRuns(
  hypothesis: readonly string[],
  reference: readonly string[],
): Generator<[number, number, number]> {
  for (let h = 0; h < hypothesis.length; h++)
    for (let r = 0; r < reference.length; r++) {
      if (Math.abs(r - h) > MAX_SHIFT_DISTANCE) continue
      const longest = Math.min(MAX_SHIFT_SIZE, hypothesis.length - h, reference.length - r)
      for (let length = 1; length <= longest && hypothesis[h + length - 1] === reference[r + length - 1]; length++)
        yield [h, r, length]
    }
}

function moved(words: readonly string[], start: number, length: number, target: number): string[] {
  const run = words.slice(start, start + length)
  if (target < start)
    return [...words.slice(0, target), ...run, ...words.slice(target, start), ...words.slice(start + length)]
  const end = target > start + length ? target : length + target
  return [...words.slice(0, start), ...words.slice(start + length, end), ...run, ...words.slice(end)]
}

interface Shift {
  readonly gain: number
  readonly length: number
  readonly start: number
  readonly target: number
  readonly words: string[]
}

/** The greater gain wins, then the longer run, then the earlier start and the earlier target. */
const better = (a: Shift, b: Shift | null): boolean =>
  !b || (a.gain - b.gain || a.length - b.length || b.start - a.start || b.target - a.target) > 0

/** Positions in the hypothesis that a run may move to: behind where its reference words, or the one before them, are aligned. */
function targetsOf(align: readonly number[], start: number, length: number): number[] {
  const targets: number[] = []
  for (let offset = -1; offset < length; offset++) {
    const at = start + offset
    if (at >= align.length) break
    const target = at === -1 ? 0 : align[at] + 1
    if (target !== targets[targets.length - 1]) targets.push(target)
  }
  return targets
}

interface Search {
  candidates: number
}

function bestShift(words: readonly string[], reference: readonly string[], search: Search): Shift | null {
  const { distance, operations } = editDistance(words, reference)
  const errors = errorsOf(operations)
  const { align } = errors
  let best: Shift | null = null
  for (const [start, refStart, length] of matchingRuns(words, reference)) {
    if (!errors.hypothesis.slice(start, start + length).includes(true)) continue
    if (!errors.reference.slice(refStart, refStart + length).includes(true)) continue
    if (align[refStart] >= start && align[refStart] < start + length) continue
    for (const target of targetsOf(align, refStart, length)) {
      const shifted = moved(words, start, length, target)
      const gain = distance - editDistance(shifted, reference).distance
      const shift: Shift = { gain, length, start, target, words: shifted }
      search.candidates++
      if (better(shift, best)) best = shift
    }
    if (search.candidates >= MAX_SHIFT_CANDIDATES) break
  }
  return best
}

/** Least edits found, a shift of a run of words counting one. */
function translationEdits(hypothesis: readonly string[], reference: readonly string[]): number {
  if (reference.length === 0) return hypothesis.length
  const search: Search = { candidates: 0 }
  let [words, shifts] = [hypothesis, 0]
  for (;;) {
    const shift = bestShift(words, reference, search)
    if (search.candidates >= MAX_SHIFT_CANDIDATES || !shift || shift.gain <= 0) break
    shifts++
    words = shift.words
  }
  return shifts + editDistance(words, reference).distance
}

export interface TerScore {
  /** Edits per 100 words of the references; can exceed 100. */
  readonly score: number
  readonly numEdits: number
  /** Words of the references, averaged over those of a sentence. */
  readonly refLength: number
}

/** Translation edit rate of a corpus; of several references of a sentence the nearest counts. @throws RangeError where lengths differ. */
export function corpusTer(
  hypotheses: readonly string[],
  references: References,
  options: TercomOptions = {},
): TerScore {
  const words = (line: string): string[] => tercomWords(stripEnd(line), options)
  const own = referencesPerHypothesis('corpusTer', hypotheses, references)
  const rows = hypotheses.map((line, i) => {
    const hypothesis = words(line)
    const lists = own[i].map(words)
    const edits = Math.min(...lists.map((reference) => translationEdits(hypothesis, reference)))
    return [edits, lists.reduce((sum, list) => sum + list.length, 0) / lists.length]
  })
  const [numEdits, refLength] = sumRows(rows)
  const rate = refLength > 0 ? numEdits / refLength : numEdits > 0 ? 1 : 0
  return { score: 100 * rate, numEdits, refLength }
}

/** Translation edit rate of one sentence. */
export const sentenceTer = (hypothesis: string, references: readonly string[], options: TercomOptions = {}): TerScore =>
  corpusTer(
    [hypothesis],
    references.map((line) => [line]),
    options,
  )
