import { cloneWith, type Graph, isOp, makeNode, type Node } from '../ir/index.js'
import { mapNested, memoized, rewriteGraph } from './rewrite.js'

/** Whether a backend runs this composite by a kernel of its name. */
export type KeepComposite = (name: string, node: Node<'composite'>) => boolean

/**
 * Puts bodies in the place of `call`s and of composites that `keep` does not want, and drops `stop_gradient`. Loop bodies are treated
 * likewise; bodies of composites that stay are left as they are.
 */
export function inlineComposites(graph: Graph, keep: KeepComposite): Graph {
  const inlineInside: (graph: Graph) => Graph = memoized((body) =>
    rewriteGraph(body, (node, inputs) => {
      if (node.op === 'stop_gradient') return inputs
      const opaque = isOp(node, 'composite') && keep(node.attrs.name, node as unknown as Node<'composite'>)
      if (opaque) return null
      if (isOp(node, 'call') || isOp(node, 'composite')) {
        const nested = inlineInside(node.attrs.body)
        return cloneWith(nested.results, new Map(nested.params.map((param, i) => [param, inputs[i]])))
      }
      const attrs = mapNested(node.attrs, inlineInside)
      return attrs === node.attrs ? null : makeNode(node.op, inputs, attrs).outputs
    }),
  )
  return inlineInside(graph)
}

/** {@link inlineComposites} that keeps none. */
export const inlineAll = (graph: Graph): Graph => inlineComposites(graph, () => false)
