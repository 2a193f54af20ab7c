import { type Graph, type Node, OPS, type Value } from '../../ir/index.js'

/** The parameter behind a chain of views, or null. */
function viewedParameter(value: Value): Value | null {
  let at = value
  while (OPS[at.node.op].class === 'movement' && at.node.inputs.length === 1) at = at.node.inputs[0]
  return at.node.op === 'parameter' ? at : null
}

/**
 * An order of execution in which a result that may take over a parameter's memory comes after the other readers of that
 * parameter, wherever nothing else waits for the result. `order` must be topological.
 */
export function donationOrder(order: readonly Node[], graph: Graph, donated: readonly number[]): Node[] {
  if (!donated.some((result) => result >= 0)) return [...order]
  const consumed = new Set<Node>()
  const readers = new Map<Value, Set<Node>>()
  const reads = new Map<Node, Set<Value>>()
  for (const node of order) {
    for (const input of node.inputs) {
      consumed.add(input.node)
      const param = viewedParameter(input)
      if (!param) continue
      if (!readers.has(param)) readers.set(param, new Set())
      readers.get(param)?.add(node)
      if (!reads.has(node)) reads.set(node, new Set())
      reads.get(node)?.add(param)
    }
  }
  // Nodes that wait, and the parameters whose other readers they wait for.
  const waitsFor = new Map<Node, Set<Value>>()
  donated.forEach((result, i) => {
    const producer = result >= 0 ? graph.results[result].node : null
    if (!producer || consumed.has(producer) || producer.op === 'parameter') return
    if (!waitsFor.has(producer)) waitsFor.set(producer, new Set())
    waitsFor.get(producer)?.add(graph.params[i])
  })
  const isFree = (node: Node): boolean =>
    [...(waitsFor.get(node) ?? [])].every((param) =>
      [...(readers.get(param) ?? [])].every((reader) => reader === node || done.has(reader)),
    )
  const done = new Set<Node>()
  const sorted: Node[] = []
  let held: Node[] = []
  const place = (node: Node): void => {
    sorted.push(node)
    done.add(node)
  }
  for (const node of order) {
    if (waitsFor.has(node) && !isFree(node)) {
      held.push(node)
      continue
    }
    place(node)
    if (held.length > 0 && reads.has(node)) {
      const free = held.filter(isFree)
      if (free.length > 0) {
        held = held.filter((waiting) => !free.includes(waiting))
        free.forEach(place)
      }
    }
  }
  // What is left waits for each other: the memory of one parameter cannot be reused.
  held.forEach(place)
  return sorted
}
