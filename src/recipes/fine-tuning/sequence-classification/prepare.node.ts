import { AutoModelForSequenceClassification } from '../../../models/index.node.js'
import { labelsOf, type TextModel } from '../../../tasks/text-model.js'
import { tensor } from '../../../tensor/index.js'
import type { Job } from '../../job.js'
import type { DataFiles } from '../../paths.node.js'
import { Checkpoint, type TuningOptions } from '../checkpoint.node.js'
import { CORRELATIONS, correlations } from '../correlation.js'
import { type HostScores, packingFor, tuningJob } from '../job.node.js'
import { EncodedSource, type Tokens } from '../source.js'
import { type Example, type FineTuningData, loadFineTuningData } from './data.node.js'
import { firstLayers, Teacher } from './distillation.node.js'
import { METRIC_NAMES, OBJECTIVES } from './objective.js'
import type { SequenceClassificationRecipe } from './schema.js'

type Row = Tokens & Pick<Example, 'target'>

/** Targets [B], or [B, L] for several labels at once. */
const targetsOf = (integers: boolean) => (rows: readonly Row[]) => {
  const targets = rows.flatMap(({ target }) => target)
  const shape = typeof rows[0].target === 'number' ? [rows.length] : [rows.length, targets.length / rows.length]
  return tensor(integers ? Int32Array.from(targets) : Float32Array.from(targets), { shape })
}

/** How values follow those of the data, as STS-B is scored. */
const valueScores: HostScores<Row> = {
  names: CORRELATIONS,
  score: (rows, outputs) =>
    correlations(
      rows.map(({ target }) => Number(target)),
      outputs.map(([value]) => Number(value)),
    ),
}

/** Texts that a teacher must read as its student does. */
const SAMPLES = 64

async function teacherOf(
  { distillation }: SequenceClassificationRecipe,
  text: TextModel,
  { parts, labels }: FineTuningData,
  signal?: AbortSignal,
): Promise<Teacher | null> {
  if (!distillation) return null
  const samples = parts.train.slice(0, SAMPLES).map((row) => row.text)
  return Teacher.open(distillation, text, { labels, samples, signal })
}

export async function prepareSequenceClassification(
  recipe: SequenceClassificationRecipe,
  files: DataFiles,
  options: TuningOptions,
): Promise<Job> {
  const { problem, maxLength, truncation, labelSmoothing } = recipe
  const checkpoint = await Checkpoint.open(recipe, options)
  const auto = AutoModelForSequenceClassification
  const tuned = checkpoint.tuned ? await checkpoint.load(auto) : null
  const known = tuned && problem !== 'regression' ? labelsOf(tuned.model) : null
  const data = await loadFineTuningData(recipe, files, known, options.signal)
  const head = data.labels ? { labels: data.labels } : { numLabels: 1 }
  const kept = firstLayers(checkpoint.found.config, recipe.distillation?.layers)
  const text = tuned ?? (await checkpoint.load(auto, { ...head, config: { problem_type: problem, ...kept } }))
  const packing = packingFor(recipe, text)
  const teacher = tuned ? null : await teacherOf(recipe, text, data, options.signal)
  const objective = OBJECTIVES[problem](labelSmoothing)
  const targets = targetsOf(problem === 'single_label_classification')
  return tuningJob<Example, Row>({
    recipe,
    checkpoint,
    text,
    rows: data.parts,
    unit: 'texts',
    encode({ text: first, textPair, target }, where) {
      const { ids, typeIds } = text.encode(first, textPair, { maxLength, truncation }, where)
      return { ids, typeIds, target }
    },
    source: (rows, buckets) => new EncodedSource(rows, packing, targets, buckets),
    model: teacher ? teacher.student(text.model, packing.inputs, problem) : undefined,
    objective: teacher ? teacher.objective(objective, text.model) : objective,
    metricNames: METRIC_NAMES[problem],
    scores: problem === 'regression' ? valueScores : undefined,
    limits: [data.labels ? `Classes: ${data.labels.join(', ')}.` : 'Gives one number.'],
    remarks: data.dropped > 0 ? [`rows left out because they have no text: ${data.dropped}`] : [],
  })
}
