import { type CompositeVjpRule, registerCompositeVjp } from '../../autodiff/index.js'
import type { AttrValue, Value } from '../../ir/index.js'
import { Trace, withTrace } from '../../runtime/index.js'
import { Tensor } from '../tensor.js'

export interface CompositeCall {
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
  readonly attributes: Readonly<Record<string, AttrValue>>
  /** Whether the cotangent of each input is wanted. */
  readonly needs: readonly boolean[]
}

/** Cotangents of the inputs (null: none) from those of the outputs (null: nothing depends on that output). */
export type CompositeGradient = (
  cotangents: readonly (Tensor | null)[],
  call: CompositeCall,
) => readonly (Tensor | null)[]

const wrapped = (values: readonly Value[]): Tensor[] => values.map((value) => new Tensor(value))

/**
 * States the gradient of the composites called `name` in terms of tensors; what it computes is differentiable again.
 * @see registerCompositeVjp
 */
export function defineGradient(name: string, gradient: CompositeGradient): void {
  const rule: CompositeVjpRule = (node, cts, needs) => {
    const call = {
      inputs: wrapped(node.inputs),
      outputs: wrapped(node.outputs),
      attributes: node.attrs.attributes,
      needs,
    }
    // Inside a trace numbers are constants and nothing is flushed while the graph is being differentiated.
    const results = withTrace(new Trace('body', name, node.inputs), () =>
      gradient(
        cts.map((ct) => ct && new Tensor(ct)),
        call,
      ),
    )
    return results.map((result) => result?.value ?? null)
  }
  registerCompositeVjp(name, rule)
}
