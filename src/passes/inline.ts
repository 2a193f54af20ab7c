import { cloneWith, finish, type Graph, isOp, makeNode, type Node, type Steps } from '../ir/index.js'
import { mapNested, memoized, rewriteSteps } from './rewrite.js'

/** Whether a backend runs this composite by a kernel of its name. */
export type KeepComposite = (name: string, node: Node<'composite'>) => boolean

/**
 * Puts bodies in the place of `call`s and of composites that `keep` does not want, and drops `stop_gradient`. Loop bodies are treated
 * likewise; bodies of composites that stay are left as they are.
 */
export function inlineSteps(graph: Graph, keep: KeepComposite): Steps<Graph> {
  const steps = (body: Graph): Steps<Graph> =>
    rewriteSteps(body, (node, inputs) => {
      if (node.op === 'stop_gradient') return inputs
      const opaque = isOp(node, 'composite') && keep(node.attrs.name, node as unknown as Node<'composite'>)
      if (opaque) return null
      if (isOp(node, 'call') || isOp(node, 'composite')) {
        const nested = inlineInside(node.attrs.body)
        return cloneWith(nested.results, new Map(nested.params.map((param, i) => [param, inputs[i]])))
      }
      const attrs = mapNested(node.attrs, inlineInside)
      return attrs === node.attrs ? null : makeNode(node.op, inputs, attrs).outputs
    })
  const inlineInside: (graph: Graph) => Graph = memoized((body) => finish(steps(body)))
  return steps(graph)
}

/** {@link inlineSteps} at once. */
export const inlineComposites = (graph: Graph, keep: KeepComposite): Graph => finish(inlineSteps(graph, keep))

/** {@link inlineComposites} that keeps none. */
export const inlineAll = (graph: Graph): Graph => inlineComposites(graph, () => false)
