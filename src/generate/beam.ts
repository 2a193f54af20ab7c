import type { StepDecoder } from './decoder.js'
import type { LogitsProcessor } from './processors.js'
import { logSoftmaxRow } from './warpers.js'

export interface BeamOptions {
  readonly beams: number
  readonly returned: number
  readonly lengthPenalty: number
  readonly earlyStopping: boolean | 'never'
  readonly maxLength: number
  readonly ends: readonly number[]
  readonly padding: number
}

interface Hypothesis {
  readonly ids: readonly number[]
  readonly score: number
  readonly finished: boolean
}

const LOW = -1e9

interface Candidate {
  readonly beam: number
  readonly token: number
  readonly score: number
}

/** The `count` best continuations of the beams of one text. */
function bestOf(scores: readonly Float32Array[], running: readonly Hypothesis[], count: number): Candidate[] {
  const all: Candidate[] = []
  for (const [beam, row] of scores.entries())
    for (let token = 0; token < row.length; token++) all.push({ beam, token, score: row[token] + running[beam].score })
  // The order of equals is that of the flat list; sorting is stable.
  return all.sort((a, b) => b.score - a.score).slice(0, count)
}

/** Beam search over one text of a batch, as transformers' vectorised search does it. */
class BeamText {
  running: Hypothesis[]
  private finished: Hypothesis[]
  private improvable = true
  private open = true

  constructor(
    readonly prompt: readonly number[],
    private readonly options: BeamOptions,
  ) {
    const { beams } = options
    this.running = Array.from({ length: beams }, (_, i) => ({ ids: prompt, score: i === 0 ? 0 : LOW, finished: false }))
    this.finished = Array.from({ length: beams }, () => ({ ids: prompt, score: LOW, finished: false }))
  }

  /** Takes scores of the next token of each beam; returns the beam that each one goes on from. */
  advance(scores: readonly Float32Array[]): number[] {
    const { beams, ends, maxLength, lengthPenalty, earlyStopping } = this.options
    const count = Math.max(2, 1 + ends.length) * beams
    const candidates = bestOf(scores, this.running, count).map((candidate) => {
      const ids = [...this.running[candidate.beam].ids, candidate.token]
      return { ...candidate, ids, stops: ends.includes(candidate.token) || ids.length >= maxLength }
    })
    const generated = candidates[0].ids.length - this.prompt.length
    const going = candidates
      .map((candidate) => ({ ...candidate, score: candidate.score + (candidate.stops ? LOW : 0) }))
      .sort((a, b) => b.score - a.score)
      .slice(0, beams)
    const full = earlyStopping === true && this.finished.every(({ finished }) => finished)
    const ended = candidates.map(({ ids, score, stops }, rank): Hypothesis => {
      const counts = stops && rank < beams
      const total = score / generated ** lengthPenalty
      return {
        ids,
        score: total + (full ? LOW : 0) + (this.improvable ? 0 : LOW) + (counts ? 0 : LOW),
        finished: counts,
      }
    })
    this.finished = [...this.finished, ...ended].sort((a, b) => b.score - a.score).slice(0, beams)
    this.running = going.map(({ ids, score }) => ({ ids, score, finished: false }))
    this.judge(generated)
    this.open = !candidates.every(({ stops }) => stops)
    return going.map(({ beam }) => beam)
  }

  /** Whether a running beam could still beat a finished one. */
  private judge(generated: number): void {
    const { lengthPenalty, earlyStopping, maxLength } = this.options
    const longest = earlyStopping === 'never' && lengthPenalty > 0 ? maxLength - this.prompt.length : generated
    const best = this.running[0].score / longest ** lengthPenalty
    const lowest = Math.min(...this.finished.map(({ score }) => score))
    this.improvable &&= this.finished.some(({ finished }) => best > (finished ? lowest : LOW))
  }

  get state(): { improvable: boolean; full: boolean; open: boolean } {
    return { improvable: this.improvable, full: this.finished.every(({ finished }) => finished), open: this.open }
  }

  get results(): readonly Hypothesis[] {
    return this.finished.slice(0, this.options.returned)
  }
}

export interface BeamResult {
  readonly sequences: number[][]
  readonly scores: number[]
}

/** Beam search; rows of the decoder are beams, text by text. */
export async function beamSearch(
  decoder: StepDecoder,
  processors: readonly LogitsProcessor[],
  options: BeamOptions,
  signal?: AbortSignal,
): Promise<BeamResult> {
  const { beams } = options
  const texts = decoder.prompt.filter((_, i) => i % beams === 0).map((prompt) => new BeamText(prompt, options))
  let logits = await decoder.start()
  for (;;) {
    signal?.throwIfAborted()
    const from: number[] = []
    for (const [i, text] of texts.entries()) {
      const scores = text.running.map(({ ids }, beam) => {
        const row = logSoftmaxRow(logits[i * beams + beam])
        for (const process of processors) process(row, ids, i * beams + beam)
        return row
      })
      from.push(...text.advance(scores).map((beam) => i * beams + beam))
    }
    const states = texts.map((text) => text.state)
    const improvable = states.some((state) => state.improvable)
    const done = options.earlyStopping === true && states.every((state) => state.full)
    if (!improvable || done || !states.some((state) => state.open)) break
    const last = texts.flatMap((text) => text.running.map(({ ids }) => ids[ids.length - 1]))
    logits = await decoder.next(last, from)
  }
  const best = texts.flatMap((text) => text.results)
  const longest = Math.max(...best.map(({ ids }) => ids.length))
  return {
    sequences: best.map(({ ids }) => [...ids, ...new Array<number>(longest - ids.length).fill(options.padding)]),
    scores: best.map(({ score }) => score),
  }
}
