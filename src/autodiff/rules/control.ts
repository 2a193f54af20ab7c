import { cloneWith, Graph, isFloat, makeNode, type Node, parameter, type Value } from '../../ir/index.js'
import * as e from '../emit.js'
import type { Cotangent, VjpRule } from '../rule.js'

/** `vjp` itself, handed in so that the rules of nested graphs need not import the table they are part of. */
export type Vjp = (results: readonly Value[], cts: readonly Cotangent[], wrt: readonly Value[]) => readonly Cotangent[]

const inlined = (graph: Graph, args: readonly Value[]): Value[] =>
  cloneWith(graph.results, new Map(graph.params.map((param, i) => [param, args[i]])))

const paramsLike = (values: readonly Value[]): Value[] => values.map(({ shape, dtype }) => parameter(shape, dtype))

/** Differentiates `body` applied to `args`; null for arguments that need no gradient. */
function bodyVjp(
  vjp: Vjp,
  body: Graph,
  args: readonly Value[],
  cts: readonly Cotangent[],
  needs: readonly boolean[],
): Cotangent[] {
  // Differentiated on parameters of its own, so that the walk ends at the body, then put in the place of the node.
  const params = paramsLike(body.params)
  const ctParams = cts.map((ct) => ct && parameter(ct.shape, ct.dtype))
  const wanted = params.filter((_, i) => needs[i])
  const grads = vjp(inlined(body, params), ctParams, wanted)
  const places = new Map<Value, Value>(params.map((param, i) => [param, args[i]]))
  ctParams.forEach((param, i) => {
    if (param) places.set(param, cts[i] as Value)
  })
  const found = grads.filter((grad) => grad !== null)
  const placed = cloneWith(found, places)
  let next = 0
  let at = 0
  return needs.map((needed) => (needed && grads[next++] !== null ? placed[at++] : null))
}

const call =
  (vjp: Vjp): VjpRule<'call'> =>
  ({ inputs, attrs }, cts, needs) => {
    if (!attrs.remat) return bodyVjp(vjp, attrs.body, inputs, cts, needs)
    // The barrier holds the recomputation back until the cotangents are there, and keeps it from being merged with the forward pass.
    const present = cts.filter((ct) => ct !== null)
    const held = makeNode('optimization_barrier', [...inputs, ...present], {}).outputs
    let next = inputs.length
    return bodyVjp(
      vjp,
      attrs.body,
      held.slice(0, inputs.length),
      cts.map((ct) => ct && held[next++]),
      needs,
    )
  }

/** Gradient of a composite by name, where one better than that of its body is known. */
export type CompositeVjpRule = VjpRule<'composite'>

const compositeRules = new Map<string, CompositeVjpRule>()

/** States the gradient of the composites called `name`; without one a composite differentiates through its body. */
export function registerCompositeVjp(name: string, rule: CompositeVjpRule): void {
  compositeRules.set(name, rule)
}

const composite =
  (vjp: Vjp): VjpRule<'composite'> =>
  (node, cts, needs) => {
    const rule = compositeRules.get(node.attrs.name)
    return rule ? rule(node, cts, needs) : bodyVjp(vjp, node.attrs.body, node.inputs, cts, needs)
  }

/** One step of the backward scan and what it needs from outside. */
interface BackwardBody {
  readonly graph: Graph
  readonly consts: readonly Value[]
  /** Numbers of the carries whose values before each step are read. */
  readonly saved: readonly number[]
}

interface ScanParts {
  readonly consts: readonly Value[]
  readonly carry: readonly Value[]
  readonly xs: readonly Value[]
  readonly carryCts: readonly number[]
  readonly constCts: readonly number[]
  readonly xCts: readonly number[]
  readonly yCts: readonly number[]
}

/** Sorts out which operands of the scan take part in the gradient. */
function scanParts({ inputs, attrs }: Node<'scan'>, cts: readonly Cotangent[], needs: readonly boolean[]): ScanParts {
  const { num_consts, num_carry } = attrs
  const consts = inputs.slice(0, num_consts)
  const carry = inputs.slice(num_consts, num_consts + num_carry)
  const xs = inputs.slice(num_consts + num_carry)
  const numbers = (values: readonly unknown[]): number[] => values.map((_, i) => i)
  return {
    consts,
    carry,
    xs,
    carryCts: numbers(carry).filter((i) => isFloat(carry[i].dtype)),
    constCts: numbers(consts).filter((i) => needs[i]),
    xCts: numbers(xs).filter((i) => needs[num_consts + num_carry + i]),
    yCts: numbers(cts.slice(num_carry)).filter((i) => cts[num_carry + i] !== null),
  }
}

/**
 * Parameters: constants, cotangents of the carry, sums of the constants' cotangents, saved carry, xs, cotangents of ys.
 * Results: the two carried groups, then the cotangents of xs.
 */
function backwardBody(vjp: Vjp, body: Graph, parts: ScanParts): BackwardBody {
  const { consts, carry, carryCts, constCts, xCts, yCts } = parts
  const args = paramsLike(body.params)
  const [ownConsts, ownCarry, ownXs] = [
    args.slice(0, consts.length),
    args.slice(consts.length, consts.length + carry.length),
    args.slice(consts.length + carry.length),
  ]
  const ctCarry = paramsLike(carryCts.map((i) => carry[i]))
  const sums = paramsLike(constCts.map((i) => consts[i]))
  const ctYs = paramsLike(yCts.map((i) => body.results[carry.length + i]))
  const resultCts: Cotangent[] = body.results.map(() => null)
  carryCts.forEach((i, k) => {
    resultCts[i] = ctCarry[k]
  })
  yCts.forEach((i, k) => {
    resultCts[carry.length + i] = ctYs[k]
  })
  const wrt = [...carryCts.map((i) => ownCarry[i]), ...constCts.map((i) => ownConsts[i]), ...xCts.map((i) => ownXs[i])]
  const grads = vjp(inlined(body, args), resultCts, wrt)
  const results = [
    ...ctCarry.map((ct, k) => grads[k] ?? e.zeros(ct)),
    ...sums.map((total, k) => {
      const grad = grads[ctCarry.length + k]
      return grad ? e.add(total, grad) : total
    }),
    ...xCts.map((i, k) => grads[ctCarry.length + sums.length + k] ?? e.zeros(ownXs[i])),
  ]
  const saved = ownCarry.map((_, i) => i).filter((i) => isRead(results, ownCarry[i]))
  const graph = new Graph(
    [...ownConsts, ...ctCarry, ...sums, ...saved.map((i) => ownCarry[i]), ...ownXs, ...ctYs],
    results,
  )
  return { graph, consts, saved }
}

function isRead(results: readonly Value[], param: Value): boolean {
  const seen = new Set<Value>(results)
  const stack = [...results]
  while (stack.length > 0) {
    const value = stack.pop() as Value
    if (value === param) return true
    for (const input of value.node.inputs) {
      if (!seen.has(input)) {
        seen.add(input)
        stack.push(input)
      }
    }
  }
  return false
}

/** The carries numbered `saved` as they were before each step, stacked: the forward scan again, with more results. */
function saveCarries(node: Node<'scan'>, saved: readonly number[]): readonly Value[] {
  if (saved.length === 0) return []
  const { body, num_consts } = node.attrs
  const extended = new Graph(body.params, [...body.results, ...saved.map((i) => body.params[num_consts + i])])
  return makeNode('scan', node.inputs, { ...node.attrs, body: extended }).outputs.slice(body.results.length)
}

const scan =
  (vjp: Vjp): VjpRule<'scan'> =>
  (node, cts, needs) => {
    const { num_carry, length, reverse } = node.attrs
    const parts = scanParts(node, cts, needs)
    const { consts, carry, xs, carryCts, constCts, xCts, yCts } = parts
    const { graph, saved } = backwardBody(vjp, node.attrs.body, parts)
    const inputs = [
      ...consts,
      ...carryCts.map((i) => cts[i] ?? e.zeros(carry[i])),
      ...constCts.map((i) => e.zeros(consts[i])),
      ...saveCarries(node, saved),
      ...xs,
      ...yCts.map((i) => cts[num_carry + i] as Value),
    ]
    const back = makeNode('scan', inputs, {
      body: graph,
      num_consts: consts.length,
      num_carry: carryCts.length + constCts.length,
      length,
      reverse: !reverse,
    }).outputs
    const grads: Cotangent[] = node.inputs.map(() => null)
    constCts.forEach((i, k) => {
      grads[i] = back[carryCts.length + k]
    })
    carryCts.forEach((i, k) => {
      grads[consts.length + i] = back[k]
    })
    xCts.forEach((i, k) => {
      grads[consts.length + carry.length + i] = back[carryCts.length + constCts.length + k]
    })
    return grads
  }

const whileLoop: VjpRule<'while'> = () => {
  throw new Error('while has no gradient: the number of steps is not known; use scan, whose trip count is fixed')
}

export const controlRules = (vjp: Vjp) => ({
  call: call(vjp),
  composite: composite(vjp),
  scan: scan(vjp),
  while: whileLoop,
})
