import type { ActivationLike } from '../activations.js'
import type { ConstraintLike } from '../constraints.js'
import type { InitializerLike } from '../initializers.js'
import type { InputShapes, LayerOptions } from '../layer.js'
import type { RegularizerLike } from '../regularizers.js'
import type { PartialShape } from '../symbolic.js'

/** Keras' names of where the channels stand. */
export type DataFormat = 'channels_last' | 'channels_first'

/** Options shared by layers with a kernel and a bias. */
export interface KernelOptions extends LayerOptions {
  activation?: ActivationLike
  useBias?: boolean
  kernelInitializer?: InitializerLike
  biasInitializer?: InitializerLike
  kernelRegularizer?: RegularizerLike
  biasRegularizer?: RegularizerLike
  kernelConstraint?: ConstraintLike
  biasConstraint?: ConstraintLike
}

/** Those options with Keras' defaults filled in. */
export const kernelSettings = (options: KernelOptions) => ({
  activation: options.activation ?? 'linear',
  useBias: options.useBias ?? true,
  kernelInitializer: options.kernelInitializer ?? 'glorot_uniform',
  biasInitializer: options.biasInitializer ?? 'zeros',
  kernelRegularizer: options.kernelRegularizer ?? null,
  biasRegularizer: options.biasRegularizer ?? null,
  kernelConstraint: options.kernelConstraint ?? null,
  biasConstraint: options.biasConstraint ?? null,
})

/** @throws RangeError unless `value` is an integer of at least `least`. */
export function checkCount(layer: string, what: string, value: unknown, least = 1): void {
  if (!Number.isInteger(value) || (value as number) < least)
    throw new RangeError(`${layer}: ${what} must be an integer of at least ${least}, got ${String(value)}`)
}

/** @throws RangeError unless `value` lies in [0, 1]. */
export function checkRate(layer: string, value: unknown): void {
  if (!(typeof value === 'number' && value >= 0 && value <= 1))
    throw new RangeError(`${layer}: rate must be a number in [0, 1], got ${String(value)}`)
}

/**
 * The only input shape of a layer.
 * @throws RangeError when there are several, or the rank is not what the layer takes.
 */
export function singleShape(
  layer: { className: string; name: string },
  shapes: InputShapes,
  rank?: number,
): PartialShape {
  const shape = shapes as PartialShape
  if (shape.some((extent) => Array.isArray(extent)))
    throw new RangeError(`${layer.className} ${layer.name}: expected one input, got ${shapes.length}`)
  if (rank !== undefined && shape.length !== rank)
    throw new RangeError(
      `${layer.className} ${layer.name}: expected an input of ${rank} dimensions, got [${shape.map((n) => n ?? '?').join(', ')}]`,
    )
  return shape
}

/** @throws RangeError when the extent at `axis` is not known. */
export function knownExtent(layer: { className: string; name: string }, shape: PartialShape, axis: number): number {
  const extent = shape.at(axis)
  if (extent === undefined || extent === null)
    throw new RangeError(
      `${layer.className} ${layer.name}: dimension ${axis} of the input must be known, got [${shape.map((n) => n ?? '?').join(', ')}]`,
    )
  return extent
}

/** One number, or one for each of `rank` dimensions, as a list. */
export function listOf(
  layer: string,
  what: string,
  value: number | readonly number[],
  rank: number,
  least = 1,
): number[] {
  const list = typeof value === 'number' ? new Array<number>(rank).fill(value) : [...(value ?? [])]
  if (list.length !== rank)
    throw new RangeError(`${layer}: ${what} needs one number or ${rank}, got ${JSON.stringify(value)}`)
  for (const item of list) checkCount(layer, what, item, least)
  return list
}

/** @throws RangeError naming the choices. */
export function checkChoice<T extends string>(layer: string, what: string, value: T, choices: readonly T[]): T {
  if (!choices.includes(value))
    throw new RangeError(`${layer}: ${what} must be one of ${choices.map((c) => `'${c}'`).join(', ')}, got '${value}'`)
  return value
}
