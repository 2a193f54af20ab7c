import type { Node, Value } from './node.js'

/** A closed function: `results` computed from `params` and constants. */
export class Graph {
  constructor(
    readonly params: readonly Value[],
    readonly results: readonly Value[],
  ) {}
}

/**
 * Nodes that `roots` depend on, each after its inputs, in a deterministic order. Iterative: graphs may be deep.
 * `isLeaf` stops the walk at nodes whose inputs are not needed.
 */
export function topologicalOrder(roots: readonly Value[], isLeaf: (node: Node) => boolean = () => false): Node[] {
  const order: Node[] = []
  const seen = new Set<Node>()
  const stack: { node: Node; next: number }[] = []
  const enter = (node: Node): void => {
    if (seen.has(node)) return
    seen.add(node)
    stack.push({ node, next: isLeaf(node) ? node.inputs.length : 0 })
  }
  for (const root of roots) {
    enter(root.node)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]
      if (top.next < top.node.inputs.length) enter(top.node.inputs[top.next++].node)
      else {
        order.push(top.node)
        stack.pop()
      }
    }
  }
  return order
}

/** Graphs nested in the attributes of a node (loop bodies, composite bodies). */
export function nestedGraphs(node: Node): Graph[] {
  return Object.values(node.attrs as Record<string, unknown>).filter((value): value is Graph => value instanceof Graph)
}
