import { type AttrValue, apply, attrKey, Graph, makeNode, type Value } from '../ir/index.js'
import { closeTrace, Trace, withTrace } from '../runtime/index.js'
import { wrap } from './core.js'
import { Tensor } from './tensor.js'
import { flattenTree, isTensor } from './tree.js'

const freshParams = (avals: readonly { shape: readonly number[]; dtype: Value['dtype'] }[]): Value[] =>
  avals.map(({ shape, dtype }) => apply('parameter', [], { shape, dtype }))

interface TracedBody {
  readonly results: readonly Value[]
  readonly trace: Trace
}

function traceBody(name: string, params: readonly Value[], fn: (params: Tensor[]) => readonly Tensor[]): TracedBody {
  const trace = new Trace('body', name, params)
  const results = withTrace(trace, () => fn(params.map((param) => new Tensor(param)))).map((result) => result.value)
  return { results, trace }
}

const values = (tensors: readonly Tensor[]): Value[] => tensors.map((tensor) => tensor.value)

/**
 * Folds `body` over the leading dimension of `xs`: (carry, x) -> [carry, y]. Returns the last carry and all y stacked.
 * `carry`, `xs` and y are trees of tensors; shapes and dtypes of the carry stay fixed. Differentiable.
 * @throws ShapeError when leading extents differ or the carry changes its shape.
 */
export function scan<C, X, Y>(
  body: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: X,
  options: { reverse?: boolean; length?: number } = {},
): [C, Y] {
  const carry = flattenTree(init, isTensor)
  const items = flattenTree(xs, isTensor)
  const length = options.length ?? items.leaves[0]?.shape[0]
  if (length === undefined) throw new TypeError('scan: give xs with at least one tensor of rank >= 1, or { length }')
  const slices = items.leaves.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }))
  const params = freshParams([...carry.leaves, ...slices])
  let structure: ReturnType<typeof flattenTree<Tensor>> | null = null
  const { results, trace } = traceBody('scan', params, (tensors) => {
    const [nextCarry, y] = body(
      carry.rebuild(tensors.slice(0, carry.leaves.length)) as C,
      items.rebuild(tensors.slice(carry.leaves.length)) as X,
    )
    structure = flattenTree(y, isTensor)
    const next = flattenTree(nextCarry, isTensor)
    if (next.structure !== carry.structure)
      throw new TypeError(`scan: the carry changed its structure from ${carry.structure} to ${next.structure}`)
    return [...next.leaves, ...structure.leaves]
  })
  const { graph, captured } = closeTrace(trace, params, results)
  // The IR wants constants first; closing a trace puts them last.
  const ordered = reorderParams(graph, params.length)
  const inputs = [...captured, ...values(carry.leaves), ...values(items.leaves)]
  const node = makeNode('scan', inputs, {
    body: ordered,
    num_consts: captured.length,
    num_carry: carry.leaves.length,
    length,
    reverse: options.reverse ?? false,
  })
  const outputs = node.outputs.map(wrap)
  const ys = structure as ReturnType<typeof flattenTree<Tensor>> | null
  return [
    carry.rebuild(outputs.slice(0, carry.leaves.length)) as C,
    ys?.rebuild(outputs.slice(carry.leaves.length)) as Y,
  ]
}

function reorderParams(graph: Graph, own: number): Graph {
  return new Graph([...graph.params.slice(own), ...graph.params.slice(0, own)], graph.results)
}

/**
 * Repeats `body` while `cond` holds; `init` is a tree of tensors whose shapes and dtypes stay fixed. Not differentiable: use {@link scan}.
 */
export function whileLoop<C>(cond: (carry: C) => Tensor, body: (carry: C) => C, init: C): C {
  const carry = flattenTree(init, isTensor)
  const count = carry.leaves.length
  const condParams = freshParams(carry.leaves)
  const condTrace = traceBody('whileLoop', condParams, (tensors) => [cond(carry.rebuild(tensors) as C)])
  const bodyParams = freshParams(carry.leaves)
  const bodyTrace = traceBody(
    'whileLoop',
    bodyParams,
    (tensors) => flattenTree(body(carry.rebuild(tensors) as C), isTensor).leaves,
  )
  // Values from outside travel as part of the carry, unchanged.
  const condClosed = closeTrace(condTrace.trace, condParams, condTrace.results)
  const bodyClosed = closeTrace(bodyTrace.trace, bodyParams, bodyTrace.results)
  const outside = [...new Set([...condClosed.captured, ...bodyClosed.captured])]
  const extend = (closed: { graph: Graph; captured: readonly Value[] }, keepCarry: boolean): Graph => {
    const extra = outside.map((value) => {
      const at = closed.captured.indexOf(value)
      return at >= 0
        ? closed.graph.params[count + at]
        : apply('parameter', [], { shape: value.shape, dtype: value.dtype })
    })
    return new Graph(
      [...closed.graph.params.slice(0, count), ...extra],
      keepCarry ? [...closed.graph.results, ...extra] : closed.graph.results,
    )
  }
  const node = makeNode('while', [...values(carry.leaves), ...outside], {
    cond: extend(condClosed, false),
    body: extend(bodyClosed, true),
  })
  return carry.rebuild(node.outputs.slice(0, count).map(wrap)) as C
}

/**
 * Runs `fn` normally, but recomputes its intermediates in the backward pass instead of keeping them (gradient checkpointing).
 * Arguments and result are trees of tensors.
 */
export function checkpoint<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    const flat = flattenTree(args, isTensor)
    const params = freshParams(flat.leaves)
    let output: ReturnType<typeof flattenTree<Tensor>> | null = null
    const { results, trace } = traceBody('checkpoint', params, (tensors) => {
      output = flattenTree(fn(...(flat.rebuild(tensors) as A)), isTensor)
      return output.leaves
    })
    const { graph, captured } = closeTrace(trace, params, results)
    const node = makeNode('call', [...values(flat.leaves), ...captured], { body: graph, remat: true })
    return (output as ReturnType<typeof flattenTree<Tensor>> | null)?.rebuild(node.outputs.map(wrap)) as R
  }
}

const bodies = new Map<string, Graph>()
const BODY_LIMIT = 2048

/**
 * A named function with a body of primitives: a backend that has a kernel of that name runs it, every other runs the body.
 * `body` must depend on `inputs` and `attributes` alone, since it is traced once for each combination of attributes and input types.
 */
export function composite(
  name: string,
  attributes: Readonly<Record<string, AttrValue>>,
  inputs: readonly Tensor[],
  body: (inputs: Tensor[]) => readonly Tensor[],
): Tensor[] {
  const key = `${name}${attrKey(attributes)}(${inputs.map(({ shape, dtype }) => `${dtype}[${shape.join()}]`).join()})`
  let graph = bodies.get(key)
  if (!graph) {
    const params = freshParams(inputs)
    const { results, trace } = traceBody(name, params, body)
    const closed = closeTrace(trace, params, results)
    if (closed.captured.length > 0)
      throw new Error(`composite ${name}: the body uses a value that is not among its inputs`)
    graph = closed.graph
    bodies.set(key, graph)
    if (bodies.size > BODY_LIMIT) bodies.delete(bodies.keys().next().value as string)
  }
  return makeNode('composite', values(inputs), { name, attributes, body: graph }).outputs.map(wrap)
}
