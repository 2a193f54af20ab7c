import type { Node, OpName, Value } from '../ir/index.js'

export type Cotangent = Value | null

/**
 * Gradient of one op: the cotangents of its inputs from those of its outputs.
 * @param cts one entry an output, null where nothing depends on it; at least one is a value
 * @param needs whether the gradient of each input is wanted; rules skip the work for others and return null
 */
export type VjpRule<K extends OpName> = (
  node: Node<K>,
  cts: readonly Cotangent[],
  needs: readonly boolean[],
) => readonly Cotangent[]

/** A rule for an op of one operand and one result: `ct` -> cotangent of the operand. */
export const unaryRule =
  <K extends OpName>(f: (ct: Value, x: Value, y: Value, node: Node<K>) => Value): VjpRule<K> =>
  (node, cts) => [f(cts[0] as Value, node.inputs[0], node.outputs[0], node)]

/** A rule for an op of one result, given by one function an operand. */
export const operandRules =
  <K extends OpName>(
    ...rules: ((ct: Value, inputs: readonly Value[], y: Value, node: Node<K>) => Value)[]
  ): VjpRule<K> =>
  (node, cts, needs) =>
    rules.map((rule, i) => (needs[i] ? rule(cts[0] as Value, node.inputs, node.outputs[0], node) : null))
