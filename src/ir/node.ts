import type { OpAttrs, OpName, ShapeDType } from './attrs.js'
import type { DType } from './dtype.js'
import type { Shape } from './shape.js'

/** One result of a node: what other nodes take as input. */
export class Value implements ShapeDType {
  constructor(
    readonly node: Node,
    readonly index: number,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}
}

let nextId = 1

/** An operation applied to values. Built only by {@link makeNode}, which checks shapes and dtypes. */
export class Node<K extends OpName = OpName> {
  readonly id = nextId++
  readonly outputs: readonly Value[]
  /** Owned by the runtime: the buffers of a realised lazy node, or of a leaf. */
  payload: unknown = undefined

  constructor(
    readonly op: K,
    /** Emptied by the runtime once the node is realised, so that its inputs can be freed. */
    public inputs: readonly Value[],
    readonly attrs: OpAttrs[K],
    avals: readonly ShapeDType[],
  ) {
    this.outputs = avals.map((aval, i) => new Value(this as unknown as Node, i, aval.shape, aval.dtype))
  }
}

/** True when `node` applies `op`; narrows the type of its attributes. */
export const isOp = <K extends OpName>(node: Node, op: K): node is Node & { op: K; attrs: OpAttrs[K] } => node.op === op
