import { apply, type Node, type Value } from '../ir/index.js'
import type { Buffer } from './buffer.js'

/** What the runtime keeps at a node: the buffers of its outputs once realised. */
class Realised {
  constructor(readonly buffers: readonly Buffer[]) {}
}

/** Left at a node that ran inside a larger graph without being kept. A second run keeps it. */
const RAN_ONCE = Symbol('ran once')

export const isRealised = (node: Node): boolean => node.payload instanceof Realised
export const ranOnce = (node: Node): boolean => node.payload === RAN_ONCE

export function markRan(node: Node): void {
  if (node.payload === undefined) node.payload = RAN_ONCE
}

/** Buffer of a realised value. */
export function bufferOf(value: Value): Buffer | null {
  return value.node.payload instanceof Realised ? value.node.payload.buffers[value.index] : null
}

/** Attaches the buffers and lets go of what they were computed from. */
export function markRealised(node: Node, buffers: readonly Buffer[]): void {
  node.payload = new Realised(buffers)
  node.inputs = []
}

/** A value whose contents are `buffer`. */
export function leafValue(buffer: Buffer): Value {
  const value = apply('parameter', [], { shape: buffer.shape, dtype: buffer.dtype })
  markRealised(value.node, [buffer])
  return value
}
