import { type Family, keyOfFile, type ModelInputs, type ModelOutput, type PreTrainedModel } from '../../models/index.js'
import { gradients, Tensor, zeros } from '../../tensor/index.js'
import { type Comparison, compareValues, type Tolerance, type Values } from '../compare.js'
import { type GoldenTensors, readValues } from '../golden.js'
import type { ModelPass, ModelTolerance } from './golden.js'

/** `labels.0.boxes` as { labels: [{ boxes }] }. */
function setNested(into: Record<string, unknown>, path: readonly string[], value: Tensor): void {
  const [head, ...rest] = path
  if (rest.length === 0) {
    into[head] = value
    return
  }
  into[head] ??= /^\d+$/.test(rest[0]) ? [] : {}
  setNested(into[head] as Record<string, unknown>, rest, value)
}

/** The tensors of a pass as what `forward` takes. */
export function inputsOf(file: GoldenTensors, prefix: string): ModelInputs & Record<string, unknown> {
  const inputs: Record<string, unknown> = {}
  for (const key of file.keys(prefix)) setNested(inputs, key.slice(prefix.length).split('.'), file.tensor(key))
  return inputs
}

/** Tensors of an output by dotted name. */
export function flatOutputs(output: ModelOutput): Map<string, Tensor> {
  const flat = new Map<string, Tensor>()
  const visit = (name: string, value: unknown): void => {
    if (value instanceof Tensor) flat.set(name, value)
    else if (Array.isArray(value)) for (const [i, item] of value.entries()) visit(`${name}.${i}`, item)
  }
  for (const [name, value] of Object.entries(output)) visit(name, value)
  return flat
}

/** Rows of tokens that count, where padding stands on the left: there results at padding depend on the implementation. */
async function countedTokens(inputs: ModelInputs): Promise<Values | null> {
  const mask = inputs.attention_mask
  if (!(mask instanceof Tensor) || mask.ndim !== 2) return null
  const [values] = await readValues([mask])
  const [rows, tokens] = values.shape
  for (let row = 0; row < rows; row++) if (Number(values.data[row * tokens]) === 0) return values
  return null
}

function blank(values: Values, counted: Values): Values {
  const [rows, tokens] = counted.shape
  if (values.shape[0] !== rows || values.shape[1] !== tokens) return values
  const width = values.data.length / (rows * tokens)
  const data = Array.from({ length: values.data.length }, (_, i) =>
    Number(counted.data[Math.floor(i / width)]) === 0 ? 0 : values.data[i],
  )
  return { ...values, data }
}

async function compareTensors(
  got: readonly (readonly [where: string, tensor: Tensor, want: Values])[],
  tolerance: Tolerance,
  counted: Values | null,
): Promise<Comparison[]> {
  const values = await readValues(got.map(([, tensor]) => tensor))
  return values.map((value, i) => {
    const [where, , want] = got[i]
    const [a, b] = counted ? [blank(value, counted), blank(want, counted)] : [value, want]
    return compareValues(a, b, tolerance, where)
  })
}

/** Gradients by the model's paths, tied weights under each of theirs. */
function gradientsOf(model: PreTrainedModel, loss: Tensor): (name: string) => Tensor | undefined {
  const { keys = [], prefix } = (model.constructor as unknown as { family: Family }).family
  const parameters = model.parameters().filter((parameter) => parameter.trainable)
  const grads = new Map(gradients(loss, parameters).map((grad, i) => [parameters[i], grad]))
  // The references hold zeros for parameters that are not trained.
  const byPath = new Map(
    [...model.parameterReferences()].map(({ name, parameter }) => [
      name,
      grads.get(parameter) ?? (parameter.trainable ? undefined : zeros(parameter.shape)),
    ]),
  )
  return (name) => {
    const key = keyOfFile(name, keys) ?? name
    return byPath.get(key) ?? byPath.get(`${prefix}.${key}`)
  }
}

const missing = (where: string): Comparison => ({ worst: null, reason: `${where}: the model gives no such result` })

/** Runs one forward pass and compares outputs, loss and gradients. */
export async function comparePass(
  model: PreTrainedModel,
  pass: ModelPass,
  file: GoldenTensors,
  tolerance: ModelTolerance,
): Promise<Comparison[]> {
  const inputs = inputsOf(file, `${pass.name}/in/`)
  const wantsStates = pass.outputs.some((name) => /hidden_states\.\d+$/.test(name))
  const output = model.forward({ ...inputs, ...pass.extra, output_hidden_states: wantsStates } as ModelInputs)
  const flat = flatOutputs(output)
  const grads = pass.grads?.length && output.loss ? gradientsOf(model, output.loss) : null
  const counted = await countedTokens(inputs)
  const absent = pass.outputs.filter((name) => !flat.has(name)).map((name) => missing(`${pass.name}/out/${name}`))
  const outputs = pass.outputs.flatMap((name) => {
    const got = flat.get(name)
    const key = `${pass.name}/out/${name}`
    return got ? [[key, got, file.values(key)] as const] : []
  })
  const compared = await compareTensors(outputs, { atol: tolerance.logits_atol, rtol: tolerance.logits_rtol }, counted)
  if (!grads) return [...absent, ...compared]
  const wanted = (pass.grads ?? []).map((name) => [`${pass.name}/grad/${name}`, name] as const)
  const lost = wanted.filter(([, name]) => !grads(name)).map(([key]) => missing(key))
  const pairs = wanted.flatMap(([key, name]) => {
    const got = grads(name)
    return got ? [[key, got, file.values(key)] as const] : []
  })
  const gradTolerance = { atol: tolerance.grad_atol, rtol: tolerance.grad_rtol }
  return [...absent, ...compared, ...lost, ...(await compareTensors(pairs, gradTolerance, null))]
}
