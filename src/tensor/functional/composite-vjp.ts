import { registerCompositeVjp } from '../../autodiff/index.js'
import type { AttrValue } from '../../ir/index.js'
import { Tensor } from '../tensor.js'

/** A composite in a graph that is being differentiated. */
export interface CompositeCall {
  readonly attributes: Readonly<Record<string, AttrValue>>
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
}

/**
 * Gradient of a composite in tensor terms: one cotangent an input, null where none flows.
 * @param cts one an output, null where nothing depends on it
 * @param needs whether the cotangent of each input is wanted
 */
export type CompositeGradient = (
  call: CompositeCall,
  cts: readonly (Tensor | null)[],
  needs: readonly boolean[],
) => readonly (Tensor | null)[]

/** States the gradient of the composites called `name`. */
export function defineGradient(name: string, gradient: CompositeGradient): void {
  registerCompositeVjp(name, (node, cts, needs) => {
    const call: CompositeCall = {
      attributes: node.attrs.attributes,
      inputs: node.inputs.map((input) => new Tensor(input)),
      outputs: node.outputs.map((output) => new Tensor(output)),
    }
    const grads = gradient(
      call,
      cts.map((ct) => ct && new Tensor(ct)),
      needs,
    )
    return grads.map((grad) => grad?.value ?? null)
  })
}

/** The tensors that are there. */
export const present = (...tensors: readonly (Tensor | null | undefined)[]): Tensor[] =>
  tensors.filter((tensor): tensor is Tensor => tensor !== null && tensor !== undefined)
