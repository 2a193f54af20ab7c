import { FINE_TUNING_TASKS, isFineTuningTask } from './fine-tuning/schemas.js'
import type { Job } from './job.js'
import { PARTS } from './job.js'
import { metricText, type Results } from './results.js'
import type { OwnRecipe, PretrainingRecipe, Recipe } from './schema.js'

const TASK_COMMANDS: Readonly<Record<(OwnRecipe | PretrainingRecipe)['task'], string>> = {
  'image-classification': 'kaimo run image-classification --model FOLDER picture.pgm',
  'text-classification': "kaimo run text-classification --model FOLDER 'a text'",
  'language-modeling': "kaimo run text-generation --model FOLDER 'a beginning'",
  'masked-lm': "kaimo run fill-mask --model FOLDER 'a text with a [MASK]'",
}

const commandFor = ({ task }: Recipe): string => {
  if (!isFineTuningTask(task)) return TASK_COMMANDS[task]
  const { runs, input } = FINE_TUNING_TASKS[task]
  return `kaimo run ${runs} --model FOLDER ${input}`
}

const PIPELINE_TAGS: Readonly<Record<(OwnRecipe | PretrainingRecipe)['task'], string>> = {
  'image-classification': 'image-classification',
  'text-classification': 'text-classification',
  'language-modeling': 'text-generation',
  'masked-lm': 'fill-mask',
}

const tagFor = ({ task }: Recipe): string =>
  isFineTuningTask(task) ? FINE_TUNING_TASKS[task].runs : PIPELINE_TAGS[task]

const count = (value: number): string => value.toLocaleString('en-US')

function splitText(recipe: Recipe): string {
  if ('validationFraction' in recipe.data)
    return `the last ${(100 * recipe.data.validationFraction).toFixed(0)} % of the training data is held out for validation`
  const { split } = recipe.data
  return split
    ? `by FNV-1a-32 of a text's UTF-8 bytes modulo ${split.buckets}: ${split.test.join(', ') || 'none'} = test, ${split.validation.join(', ') || 'none'} = validation, the rest trains`
    : 'as given by the files'
}

function dataSection(recipe: Recipe, job: Job): string[] {
  const { name, origin, licence } = recipe.data
  const sizes = PARTS.filter((part) => job.sizes[part] > 0).map((part) => `${count(job.sizes[part])} ${part}`)
  return [
    '## Data',
    '',
    `- Name: ${name ?? 'not stated'}`,
    `- Origin: ${origin ?? 'not stated'}`,
    `- Licence: ${licence ?? 'not stated'}`,
    `- Split: ${splitText(recipe)}`,
    `- ${job.unit[0].toUpperCase()}${job.unit.slice(1)}: ${sizes.join(', ')}`,
    ...job.remarks.map((remark) => `- ${remark}`),
  ]
}

function trainingSection(recipe: Recipe, results: Results): string[] {
  const { name, learningRate, schedule } = recipe.optimizer
  const from = recipe.initialModel ? `, from ${recipe.initialModel}` : ''
  return [
    '## Training',
    '',
    `- Recipe: \`recipe.json\` in this folder (seed ${results.seed}${from})`,
    `- Optimizer: ${name}, learning rate ${learningRate} (${schedule.type})`,
    `- Epochs: ${results.epochs} of ${recipe.epochs}, batches of ${recipe.batchSize}, ${results.seconds.toFixed(0)} s`,
    `- Parameters: ${count(results.parameters)}`,
  ]
}

function resultsSection(results: Results): string[] {
  const rows = Object.entries(results.results).map(([part, { examples, ...numbers }]) => {
    const list = Object.entries(numbers).map(([name, value]) => metricText(name, value))
    return `| ${part} | ${count(examples)} | ${list.join(', ')} |`
  })
  return ['## Results', '', '| part | examples | results |', '|---|---|---|', ...rows]
}

/** The model card of a trained model: Markdown with the front matter that model hubs read. */
export function modelCard(recipe: Recipe, job: Job, results: Results): string {
  const lines = [
    '---',
    'library_name: kaimo',
    `pipeline_tag: ${tagFor(recipe)}`,
    '---',
    '',
    `# ${recipe.name}`,
    '',
    ...(recipe.description ? [recipe.description, ''] : []),
    '```sh',
    commandFor(recipe),
    '```',
    '',
    ...dataSection(recipe, job),
    '',
    ...trainingSection(recipe, results),
    '',
    ...resultsSection(results),
    '',
    '## Limits',
    '',
    ...job.form.limits,
  ]
  return `${lines.join('\n')}\n`
}
