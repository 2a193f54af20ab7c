/** All ways to cut a word into pieces, with their scores. */
import type { UnitTrie } from '../models/trie.js'

export interface LatticeNode {
  readonly id: number
  readonly start: number
  readonly end: number
  readonly score: number
}

function logSumExp(x: number, y: number, first: boolean): number {
  if (first) return y
  const [low, high] = x > y ? [y, x] : [x, y]
  return high > low + 50 ? high : high + Math.log(Math.exp(low - high) + 1)
}

interface Hypothesis {
  readonly node: number
  readonly next: Hypothesis | null
  readonly estimate: number
  readonly cost: number
}

export class Lattice {
  private readonly nodes: LatticeNode[] = []
  /** Nodes by where they start and end. */
  private readonly starting: number[][]
  private readonly ending: number[][]

  constructor(
    private readonly text: string,
    trie: UnitTrie,
    scores: Float64Array,
    unknown: { readonly id: number; readonly score: number },
  ) {
    this.starting = Array.from({ length: text.length + 1 }, () => [])
    this.ending = Array.from({ length: text.length + 1 }, () => [])
    for (let at = 0; at < text.length; ) {
      const units = text.codePointAt(at)! > 0xffff ? 2 : 1
      let single = false
      let node = 0
      for (let i = at; i < text.length; i++) {
        const transition = trie.step(node, text.charCodeAt(i))
        if (transition < 0) break
        node = trie.child(transition)
        const id = trie.value(transition)
        if (id < 0) continue
        this.insert(id, at, i + 1, scores[id])
        if (i + 1 - at === units) single = true
      }
      if (!single) this.insert(unknown.id, at, at + units, unknown.score)
      at += units
    }
  }

  private insert(id: number, start: number, end: number, score: number): void {
    this.starting[start].push(this.nodes.length)
    this.ending[end].push(this.nodes.length)
    this.nodes.push({ id, start, end, score })
  }

  /** Best score of a path up to the end of each node, and the node before it (-1 at the start). */
  private forward(): { best: Float64Array; previous: Int32Array } {
    const best = new Float64Array(this.nodes.length)
    const previous = new Int32Array(this.nodes.length).fill(-1)
    for (let at = 0; at < this.text.length; at++) {
      for (const right of this.starting[at]) {
        const { score } = this.nodes[right]
        if (at === 0) {
          best[right] = score
          continue
        }
        let found = -1
        for (const left of this.ending[at]) {
          const total = best[left] + score
          if (found >= 0 && !(total > best[right])) continue
          found = left
          best[right] = total
        }
        previous[right] = found
      }
    }
    return { best, previous }
  }

  /** The best path. */
  viterbi(): LatticeNode[] {
    const { best, previous } = this.forward()
    let last = -1
    for (const node of this.ending[this.text.length]) if (last < 0 || best[node] > best[last]) last = node
    const path: LatticeNode[] = []
    for (let node = last; node >= 0; node = previous[node]) path.push(this.nodes[node])
    return path.reverse()
  }

  /** The best two paths, by A* from the end (the estimate is exact: the forward pass). */
  bestTwo(): LatticeNode[][] {
    const { best } = this.forward()
    const agenda: Hypothesis[] = []
    const push = (node: number, next: Hypothesis | null): void => {
      const behind = next?.cost ?? 0
      agenda.push({ node, next, estimate: best[node] + behind, cost: this.nodes[node].score + behind })
    }
    for (const node of this.ending[this.text.length]) push(node, null)
    const paths: LatticeNode[][] = []
    while (agenda.length > 0 && paths.length < 2) {
      let top = 0
      for (let i = 1; i < agenda.length; i++) if (agenda[i].estimate > agenda[top].estimate) top = i
      const [hypothesis] = agenda.splice(top, 1)
      const { start } = this.nodes[hypothesis.node]
      if (start === 0) {
        const path: LatticeNode[] = []
        for (let item: Hypothesis | null = hypothesis; item; item = item.next) path.push(this.nodes[item.node])
        paths.push(path)
      } else for (const left of this.ending[start]) push(left, hypothesis)
    }
    return paths
  }

  /** Adds to `expected` how often each piece is expected over all paths, `frequency` times. */
  addExpected(frequency: number, expected: Float64Array): void {
    const { nodes, starting, ending, text } = this
    const alpha = new Float64Array(nodes.length)
    const beta = new Float64Array(nodes.length)
    for (let at = 1; at < text.length; at++)
      for (const right of starting[at])
        for (const [i, left] of ending[at].entries())
          alpha[right] = logSumExp(alpha[right], nodes[left].score + alpha[left], i === 0)
    for (let at = text.length - 1; at > 0; at--)
      for (const left of ending[at])
        for (const [i, right] of starting[at].entries())
          beta[left] = logSumExp(beta[left], nodes[right].score + beta[right], i === 0)
    let total = 0
    for (const [i, last] of ending[text.length].entries())
      total = logSumExp(total, nodes[last].score + alpha[last], i === 0)
    for (const [i, { id, score }] of nodes.entries())
      expected[id] += frequency * Math.exp(alpha[i] + score + beta[i] - total)
  }
}
