import type { AttrValue, Node } from '../../ir/index.js'
import type { Lowering } from './lower.js'

type Attributes = Readonly<Record<string, AttrValue>>

/** Emits the kernel of a composite. */
export type CompositeRule = (lowering: Lowering, node: Node, attributes: Attributes) => void

/** Composites that run as one kernel. Every other runs by its body. */
export const NATIVE_COMPOSITES: Readonly<Record<string, CompositeRule>> = {}
