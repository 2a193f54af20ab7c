import { type GenerationOptions, generate } from '../../generate/index.js'
import type { PreTrainedModel } from '../../models/index.js'
import { type Comparison, compareValues, EXACT, type Values } from '../compare.js'
import type { GoldenTensors } from '../golden.js'
import type { GenerateCase, ModelTolerance } from './golden.js'
import { inputsOf } from './passes.js'

const rows = (data: readonly (readonly number[])[]): Values => ({
  dtype: 'i32',
  shape: [data.length, data[0]?.length ?? 0],
  data: data.flat(),
})

const floats = (shape: readonly number[], data: ArrayLike<number>): Values => ({ dtype: 'f32', shape, data })

/** Generates as a case says and compares tokens exactly, scores of beams and of the last step within tolerance. */
export async function compareGeneration(
  model: PreTrainedModel,
  record: GenerateCase,
  file: GoldenTensors,
  tolerance: ModelTolerance,
): Promise<Comparison[]> {
  const where = `generate.${record.name}`
  const inputs = inputsOf(file, `${where}/in/`)
  const made = await generate(model, inputs, record.kwargs as GenerationOptions)
  const comparisons = [compareValues(rows(made.sequences), rows(record.sequences), EXACT, `${where} sequences`)]
  const limits = { atol: tolerance.logits_atol, rtol: tolerance.logits_rtol }
  if (record.sequences_scores && made.scores) {
    const [got, want] = [made.scores, record.sequences_scores].map((list) => floats([list.length], list))
    comparisons.push(compareValues(got, want, limits, `${where} sequences_scores`))
  }
  const key = `${where}/out/logits_last_step`
  if (file.has(key) && made.lastLogits) {
    const want = file.values(key)
    const got = floats(want.shape, Float32Array.from(made.lastLogits.flatMap((row) => [...row])))
    comparisons.push(compareValues(got, want, limits, key))
  }
  return comparisons
}
