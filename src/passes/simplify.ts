import {
  attrKey,
  finish,
  type Graph,
  isOp,
  makeNode,
  type Node,
  OPS,
  type OpAttrs,
  type OpName,
  type Steps,
  type TypedArray,
  type Value,
} from '../ir/index.js'
import { mapNested, memoized, rewriteSteps, withInputs } from './rewrite.js'
import { arithmeticRules, convert } from './rules/arithmetic.js'
import { type AttrRule, movementRules } from './rules/movement.js'
import { foldSplats } from './rules/splat.js'

/** Constants up to this many elements are compared by content, larger ones by identity. */
const SMALL = 64

/** How often rules may rewrite what a rule returned: each makes the expression smaller, so the bound is never felt. */
const ROUNDS = 8

class Simplifier {
  private readonly known = new Map<string, Node>()
  private readonly numbers = new Map<Value, number>()
  private readonly arrays = new Map<TypedArray, number>()

  constructor(private readonly nested: (graph: Graph) => Graph) {}

  readonly visit = (node: Node, inputs: readonly Value[]): readonly Value[] => {
    const attrs = isOp(node, 'composite') ? node.attrs : mapNested(node.attrs, this.nested)
    let current = attrs === node.attrs ? withInputs(node, inputs) : makeNode(node.op, inputs, attrs)
    for (let round = 0; round < ROUNDS; round++) {
      const simpler = current.outputs.length === 1 ? this.rewrite(current) : null
      if (simpler === null) break
      // An operand or a value met before is simplified already.
      if (simpler.node === current || this.numbers.has(simpler) || simpler.node.op === 'parameter') return [simpler]
      current = simpler.node
    }
    return this.unique(current).outputs
  }

  private rewrite(node: Node): Value | null {
    const { inputs } = node
    const { shape, dtype } = node.outputs[0]
    const folded = foldSplats(node.op, inputs, shape, dtype)
    if (folded) return folded
    if (isOp(node, 'convert')) return convert(inputs[0], dtype)
    const plain = arithmeticRules[node.op]
    if (plain) return plain(inputs)
    const rule = movementRules[node.op] as AttrRule<OpName> | undefined
    return rule ? rule(inputs, node.attrs as OpAttrs[OpName]) : null
  }

  /** The first node that does the same: common subexpressions become one. */
  private unique(node: Node): Node {
    // A barrier keeps apart what it separates: it is never merged, and so neither are the nodes behind it.
    if (node.op === 'optimization_barrier') return this.number(node)
    const key = this.keyOf(node)
    const before = this.known.get(key)
    if (before) return before
    this.known.set(key, node)
    return this.number(node)
  }

  private number(node: Node): Node {
    for (const output of node.outputs) this.numberOf(output)
    return node
  }

  private numberOf(value: Value): number {
    let number = this.numbers.get(value)
    if (number === undefined) {
      number = this.numbers.size
      this.numbers.set(value, number)
    }
    return number
  }

  private keyOf(node: Node): string {
    const inputs = node.inputs.map((input) => this.numberOf(input))
    if (OPS[node.op].commutative) inputs.sort((a, b) => a - b)
    return `${node.op}(${inputs.join()})${this.attrsKey(node)}`
  }

  private attrsKey(node: Node): string {
    if (!isOp(node, 'constant') || node.attrs.data.length <= SMALL) return attrKey(node.attrs)
    const { data, dtype, shape } = node.attrs
    let number = this.arrays.get(data)
    if (number === undefined) {
      number = this.arrays.size
      this.arrays.set(data, number)
    }
    return `#${number}:${dtype}[${shape.join()}]`
  }
}

/**
 * Folds constants, removes what changes nothing, merges common subexpressions and drops dead code, in loop bodies, too. Results stay
 * equal bit for bit (`power(x, 2)` becomes `x * x`, the one exception, which is at least as exact), NaN, infinities and signed zeros included.
 */
export function simplifySteps(graph: Graph): Steps<Graph> {
  const steps = (body: Graph): Steps<Graph> => rewriteSteps(body, new Simplifier(nested).visit)
  const nested: (graph: Graph) => Graph = memoized((body) => finish(steps(body)))
  return steps(graph)
}

/** {@link simplifySteps} at once. */
export const simplify = (graph: Graph): Graph => finish(simplifySteps(graph))
