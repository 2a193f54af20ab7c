import {
  avalText,
  finish,
  isFloat,
  NODES_A_STEP,
  type Node,
  type OpName,
  ShapeError,
  type Steps,
  sameShape,
  topologicalOrder,
  type Value,
} from '../ir/index.js'
import { add } from './emit.js'
import type { Cotangent, VjpRule } from './rule.js'
import { makeTable } from './table.js'

const TABLE = makeTable(vjp)

const ruleOf = (node: Node): VjpRule<OpName> | null => TABLE[node.op] as VjpRule<OpName> | null

/** Values through which `wrt` can reach the results, and the nodes that make them, each after its inputs. */
function activePart(results: readonly Value[], wrt: readonly Value[]): { nodes: Node[]; active: Set<Value> } {
  const active = new Set<Value>(wrt.filter((value) => isFloat(value.dtype)))
  const nodes: Node[] = []
  for (const node of topologicalOrder(results)) {
    if (ruleOf(node) === null || !node.inputs.some((input) => active.has(input))) continue
    nodes.push(node)
    for (const output of node.outputs) if (isFloat(output.dtype)) active.add(output)
  }
  return { nodes, active }
}

function checkCotangents(results: readonly Value[], cts: readonly Cotangent[]): void {
  if (cts.length !== results.length)
    throw new ShapeError(`vjp: ${results.length} results need as many cotangents, got ${cts.length}`)
  results.forEach((result, i) => {
    const ct = cts[i]
    if (ct && (ct.dtype !== result.dtype || !sameShape(ct.shape, result.shape))) {
      throw new ShapeError(`vjp: cotangent ${i} must be ${avalText(result)}, got ${avalText(ct)}`)
    }
  })
}

/**
 * Reverse-mode differentiation as a graph rewrite: emits the cotangents of `wrt` from those of `results`. The nodes emitted are IR like any
 * other, so that gradients of gradients come the same way.
 * @param cotangents one entry a result, of its shape and dtype; null counts as zero
 * @param wrt values anywhere in the graph; one that depends on another counts in the other's total derivative, too
 * @returns one entry each of `wrt`; null where the results do not depend on it (or only through integers, steps or `stop_gradient`)
 * @throws ShapeError for cotangents that do not fit; Error where the way leads through `while`.
 */
export function* vjpSteps(
  results: readonly Value[],
  cotangents: readonly Cotangent[],
  wrt: readonly Value[],
): Steps<(Value | null)[]> {
  checkCotangents(results, cotangents)
  const { nodes, active } = activePart(results, wrt)
  const found = new Map<Value, Value>()
  const accumulate = (value: Value, ct: Cotangent): void => {
    if (ct === null || !active.has(value)) return
    const before = found.get(value)
    found.set(value, before ? add(before, ct) : ct)
  }
  results.forEach((result, i) => {
    accumulate(result, cotangents[i])
  })
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (i % NODES_A_STEP === 0) yield
    const node = nodes[i]
    const cts = node.outputs.map((output) => found.get(output) ?? null)
    if (cts.every((ct) => ct === null)) continue
    const needs = node.inputs.map((input) => active.has(input))
    const grads = (ruleOf(node) as VjpRule<OpName>)(node, cts, needs)
    node.inputs.forEach((input, k) => {
      accumulate(input, needs[k] ? grads[k] : null)
    })
  }
  return wrt.map((value) => found.get(value) ?? null)
}

/** {@link vjpSteps} at once. */
export function vjp(
  results: readonly Value[],
  cotangents: readonly Cotangent[],
  wrt: readonly Value[],
): (Value | null)[] {
  return finish(vjpSteps(results, cotangents, wrt))
}
