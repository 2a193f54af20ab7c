import { type AttrValue, isOp, type Node } from '../ir/index.js'

/**
 * Composites that compute value by value what one instruction of a cluster can: name of the instruction by attributes. A backend keeps
 * those it has; all others are inlined before they get here.
 */
const FUNCTIONS: Readonly<Record<string, (attributes: Readonly<Record<string, AttrValue>>) => string>> = {
  relu: () => 'relu',
  relu_grad: () => 'relu_grad',
  sigmoid: () => 'sigmoid',
  silu: () => 'silu',
  silu_grad: () => 'silu_grad',
  gelu: ({ approximate }) => (approximate === 'tanh' ? 'gelu_tanh' : 'gelu'),
  gelu_grad: ({ approximate }) => (approximate === 'tanh' ? 'gelu_tanh_grad' : 'gelu_grad'),
}

/** The instruction for an elementwise composite, or null. */
export function functionOf(node: Node): string | null {
  if (!isOp(node, 'composite')) return null
  const { name, attributes } = node.attrs
  return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name](attributes) : null
}
