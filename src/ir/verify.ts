import type { OpAttrs, OpName } from './attrs.js'
import { avalText } from './errors.js'
import { type Graph, nestedGraphs, topologicalOrder } from './graph.js'
import type { Value } from './node.js'
import { OPS, type OpRule } from './ops.js'
import { sameShape } from './shape.js'

/**
 * Checks what every pass must keep: each node infers again to the types it carries, parameters are declared, results exist.
 * @param after name of the pass that produced the graph, for the message
 * @throws Error naming the pass, the op and the disagreement.
 */
export function verifyGraph(graph: Graph, after: string): void {
  const declared = new Set<Value>(graph.params)
  for (const node of topologicalOrder(graph.results)) {
    if (node.op === 'parameter' && !declared.has(node.outputs[0])) {
      throw new Error(`after ${after}: undeclared parameter ${avalText(node.outputs[0])}`)
    }
    const rule = OPS[node.op] as OpRule<OpName>
    const inferred = rule.infer(node.op, node.inputs, node.attrs as OpAttrs[OpName])
    const avals = Array.isArray(inferred) ? inferred : [inferred]
    avals.forEach((aval, i) => {
      const output = node.outputs[i]
      if (output === undefined || output.dtype !== aval.dtype || !sameShape(output.shape, aval.shape)) {
        throw new Error(
          `after ${after}: ${node.op} carries ${output ? avalText(output) : 'nothing'} where ${avalText(aval)} is inferred`,
        )
      }
    })
    for (const nested of nestedGraphs(node)) verifyGraph(nested, `${after} (in ${node.op})`)
  }
}
