/**
 * Models whose linear layers hold 8-bit weights. On disk: the layout of compressed-tensors' `int-quantized` format (weights symmetric with one
 * scale an output channel, activations quantised token by token as they come), in which `X.weight` is I8 and `X.weight_scale` [out, 1].
 * Source: https://github.com/neuralmagic/compressed-tensors.
 */
import { sizeOf } from '../../ir/index.js'
import { type Module, torch } from '../../nn/index.js'
import { realise } from '../../runtime/index.js'
import { type Parameter, zeros } from '../../tensor/index.js'
import type { JsonObject } from './config.js'
import type { PreTrainedModel } from './model.js'

const SCALE = '.weight_scale'

/** Linear layers with a weight of their own, by path: one that is tied to embeddings has to stay as it is. */
function ownLinears(model: Module): [path: string, linear: torch.Linear][] {
  const places = new Map<Parameter, number>()
  for (const { parameter } of model.parameterReferences()) places.set(parameter, (places.get(parameter) ?? 0) + 1)
  const linears = [...model.namedModules()].filter(
    (named): named is [string, torch.Linear] => named[1] instanceof torch.Linear,
  )
  return linears.filter(([, { weight }]) => places.get(weight) === 1)
}

export const isQuantized = (model: Module): boolean =>
  [...model.namedModules()].some(([, module]) => module instanceof torch.Linear && module.weight_scale !== null)

/**
 * Brings the weights of a model's linear layers to 8 bits, for inference. Layers whose weights are tied to embeddings, and those with a
 * weight in `except`, stay as they are.
 * @throws RangeError where the model has no layer to quantise
 */
export async function quantizeModel<M extends Module>(
  model: M,
  except: ReadonlySet<Parameter> = new Set(),
): Promise<M> {
  const linears = ownLinears(model).filter(([, { weight }]) => !except.has(weight))
  if (linears.length === 0) throw new RangeError(`${model.constructor.name} has no linear layers that int8 could hold`)
  for (const [, linear] of linears) {
    linear.quantize()
    // One after another, so that no more than one weight is held twice.
    if (linear.weight_scale) await realise([linear.weight.value.value, linear.weight_scale.value.value])
  }
  return model
}

/** Makes room for the 8-bit weights of a file; `scales` are the shapes of its `weight_scale` tensors by the model's path of their weight. */
export function expectInt8(model: Module, scales: ReadonlyMap<string, readonly number[]>): void {
  if (scales.size === 0) return
  for (const [path, linear] of ownLinears(model)) {
    const shape = scales.get(`${path}.weight`)
    if (shape && sizeOf(shape) === linear.outFeatures)
      linear.holdInt8(zeros(linear.weight.shape, { dtype: 'i8' }), zeros(shape))
  }
}

/** The path of the weight that a scale belongs to; null for other tensors. */
export const weightOfScale = (name: string): string | null =>
  name.endsWith(SCALE) ? `${name.slice(0, -SCALE.length)}.weight` : null

/** What `config.json` says of a model with 8-bit weights; empty for others. */
export function quantizationConfig(model: PreTrainedModel): JsonObject {
  if (!isQuantized(model)) return {}
  const integers = { num_bits: 8, type: 'int', symmetric: true }
  const ignore = [...model.namedModules()]
    .filter(([, module]) => module instanceof torch.Linear && !module.weight_scale)
    .map(([path]) => path)
  return {
    quantization_config: {
      quant_method: 'compressed-tensors',
      format: 'int-quantized',
      quantization_status: 'compressed',
      config_groups: {
        group_0: {
          targets: ['Linear'],
          weights: { ...integers, strategy: 'channel', dynamic: false },
          input_activations: { ...integers, strategy: 'token', dynamic: true },
        },
      },
      ignore,
    },
  }
}
