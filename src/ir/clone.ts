import { topologicalOrder } from './graph.js'
import { Node, type Value } from './node.js'

/**
 * Copies what `results` depend on, with `replacements` put in place of values. Walking stops at replaced values, and at nodes
 * for which `isLeaf` holds (they are shared, not copied).
 */
export function cloneWith(
  results: readonly Value[],
  replacements: ReadonlyMap<Value, Value>,
  isLeaf: (node: Node) => boolean = () => false,
): Value[] {
  const copies = new Map<Value, Value>(replacements)
  const stop = (node: Node): boolean => isLeaf(node) || node.outputs.every((output) => replacements.has(output))
  for (const node of topologicalOrder(results, stop)) {
    if (stop(node)) continue
    const copy = new Node(
      node.op,
      node.inputs.map((input) => copies.get(input) ?? input),
      node.attrs,
      node.outputs,
    )
    node.outputs.forEach((output, i) => {
      if (!copies.has(output)) copies.set(output, copy.outputs[i])
    })
  }
  return results.map((result) => copies.get(result) ?? result)
}
