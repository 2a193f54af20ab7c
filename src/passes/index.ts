import { type Graph, printGraph, type Steps, verifyGraph } from '../ir/index.js'
import { inlineSteps, type KeepComposite } from './inline.js'
import { scanSteps } from './scans.js'
import { simplifySteps } from './simplify.js'

export { inlineAll, inlineComposites, type KeepComposite } from './inline.js'
export { mapNested, memoized, rewriteGraph, rewriteSteps, type Visit, withInputs } from './rewrite.js'
export { isSplat, splatOf } from './rules/splat.js'
export { mergeScans, pruneScans, scanSteps } from './scans.js'
export { simplify } from './simplify.js'

/** A step of compilation: takes a graph, returns one that computes the same. Never changes its argument. */
export interface Pass {
  readonly name: string
  readonly run: (graph: Graph) => Steps<Graph>
}

export interface PassOptions {
  /** Receives the graph before the first pass and after each, as text. */
  readonly print?: (text: string) => void
  /** Checks the graph after each pass ({@link verifyGraph}). */
  readonly verify?: boolean
}

/** Runs passes one after the other. */
export function* runPasses(
  graph: Graph,
  passes: readonly Pass[],
  { print, verify = false }: PassOptions = {},
): Steps<Graph> {
  print?.(`// traced\n${printGraph(graph)}`)
  let current = graph
  for (const { name, run } of passes) {
    current = yield* run(current)
    if (verify) verifyGraph(current, name)
    print?.(`// after ${name}\n${printGraph(current)}`)
  }
  return current
}

/** What every backend wants first: bodies put in place but for the composites it has kernels for, then simplified, loops included. */
export const standardPasses = (keep: KeepComposite): readonly Pass[] => [
  { name: 'inline', run: (graph) => inlineSteps(graph, keep) },
  { name: 'simplify', run: simplifySteps },
  { name: 'scans', run: scanSteps },
  { name: 'simplify-again', run: simplifySteps },
]
