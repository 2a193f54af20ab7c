import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { AutoConfig, AutoModelForMaskedLM, AutoModelForSequenceClassification } from '../../../src/node.js'
import { fineTuningOptimizer, tuningGroups } from '../../../src/recipes/fine-tuning/optimizer.js'
import { fineTuningOptimizer as optimizerSchema } from '../../../src/recipes/fine-tuning/schema.js'
import { evaluateModel, parseRecipe, type Recipe, type TrainOptions, trainRecipe } from '../../../src/recipes.node.js'
import { pipeline } from '../../../src/tasks.node.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())

const base = await folders.bert(AutoModelForMaskedLM)
const data = await folders.make()
const write = (name: string, text: string): Promise<string> => folders.write(data, name, text)

/** Texts on cats are good, those on dogs are bad. */
const places = ['on the mat', 'in paris', 'in london', 'on a fox', 'on the city', 'in a mat', 'who sat', 'where who']
const rows = places.flatMap((place, i) => [
  { text: `the cat ${place}`, label: 'good', value: 1 + (i % 2) * 0.1 },
  { text: `a dog ${place} .`, label: 'bad', value: -1 },
])
const csv = await write('reviews.csv', `text,label\n${rows.map(({ text, label }) => `${text},${label}`).join('\n')}\n`)

let runs = 0
const recipeOf = (more: object, path = csv): Recipe =>
  parseRecipe(
    {
      task: 'sequence-classification',
      name: 'tiny',
      initialModel: base,
      data: { train: { path }, validation: { path } },
      optimizer: { learningRate: 0.01 },
      epochs: 12,
      batchSize: 4,
      output: join(data, `run-${runs++}`),
      ...more,
    },
    'recipe',
  )
const train = (recipe: Recipe, options: TrainOptions = {}) => trainRecipe(recipe, { quiet: true, ...options })

describe('fine-tuning of a published checkpoint', () => {
  test('learns classes, and writes a checkpoint that is used like any other', async () => {
    const recipe = recipeOf({ keepBest: 'val_loss', config: { classifier_dropout: 0.05 } })
    const { folder, results } = await train(recipe)
    assert.equal(results.results.validation?.accuracy, 1)
    const config = await AutoConfig.fromPretrained(folder)
    assert.deepEqual(Object.values(config.id2label), ['bad', 'good'])
    assert.equal(config.problem_type, 'single_label_classification')
    assert.equal((config as { classifier_dropout?: unknown }).classifier_dropout, 0.05)
    const classify = await pipeline('text-classification', folder)
    assert.equal((await classify('the cat on a mat')).label, 'good')
    const eight = await pipeline('text-classification', folder, { dtype: 'int8' })
    assert.equal((await eight('the cat on a mat')).label, 'good')
    const evaluation = await evaluateModel(folder, { data: { path: csv }, dtype: 'int8' })
    assert.equal(evaluation.results.accuracy, 1)
    assert.equal(evaluation.int8?.accuracy, 1)
    assert.notEqual(evaluation.int8?.loss, evaluation.results.loss)
    assert.ok(Math.abs(evaluation.results.loss - (results.results.validation?.loss ?? 0)) < 1e-5)
    assert.equal((await evaluateModel(folder, { part: 'validation' })).results.examples, rows.length)
  })

  test('a run that is resumed ends as one that was not interrupted', async () => {
    const whole = await train(recipeOf({ epochs: 3 }))
    const recipe = recipeOf({ epochs: 3, checkpointEveryBatches: 2 })
    const stop = new AbortController()
    // Said when training begins: the run ends after one step.
    const log = (): void => stop.abort()
    const interrupted = train(recipe, { signal: stop.signal, quiet: false, log })
    await assert.rejects(interrupted, { name: 'InterruptedError' })
    const again = await train(recipe, { resume: true })
    assert.deepEqual(again.history.history.loss, whole.history.history.loss)
    assert.deepEqual(again.results.results, whole.results.results)
  })

  test('learns several labels at once from JSON lines', async () => {
    const lines = rows.map(({ text, label }, i) => ({ text, label: i % 4 < 2 ? [label, 'even'] : [label] }))
    const path = await write('several.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'))
    const { folder, results } = await train(recipeOf({ problem: 'multi_label_classification' }, path))
    const validation = results.results.validation
    assert.ok(validation)
    const { accuracy, loss } = validation
    assert.ok(accuracy > 0.8 && loss < 0.5, `accuracy ${accuracy}, loss ${loss}`)
    const found = await (await pipeline('text-classification', folder))('a dog in paris .')
    const scores = Object.fromEntries(found.labels.map(({ label, score }) => [label, score]))
    assert.deepEqual(Object.keys(scores).sort(), ['bad', 'even', 'good'])
    assert.ok(scores.bad > 0.5 && scores.good < 0.5)
  })

  test('learns several labels from columns of 0 and 1', async () => {
    const lines = rows.map(({ text, label }, i) => `${text},${label === 'good' ? 1 : 0},${i % 2 === 0 ? 1 : 0}`)
    const path = await write('columns.csv', `text,good,even\n${lines.join('\n')}\n`)
    const problem = 'multi_label_classification'
    const file = { path, label: ['good', 'even'] }
    const { folder, results } = await train(recipeOf({ problem, data: { train: file, validation: file } }))
    assert.ok((results.results.validation?.accuracy ?? 0) > 0.8)
    assert.deepEqual(Object.values((await AutoConfig.fromPretrained(folder)).id2label), ['good', 'even'])
    const bad = await write('bad-columns.csv', 'text,good,even\na,1,x\n')
    await assert.rejects(
      train(recipeOf({ problem, data: { train: { ...file, path: bad } } })),
      /bad-columns\.csv line 2: .*expected 0 or 1 as "even", got "x"/s,
    )
    assert.throws(() => recipeOf({ data: { train: file } }), /train\.label: columns of labels are for multi_label/)
  })

  test('learns a value of two texts', async () => {
    const path = await write(
      'pairs.tsv',
      `a\tb\tscore\n${rows.map(({ text, value }) => `who\t${text}\t${value}`).join('\n')}\n`,
    )
    const file = { path, text: 'a', textPair: 'b', label: 'score' }
    const recipe = recipeOf({ problem: 'regression', data: { train: file, validation: file } })
    const { folder, results } = await train(recipe)
    assert.ok((results.results.validation?.mae ?? 9) < 0.5)
    assert.ok((results.results.validation?.spearman ?? 0) > 0.7)
    const value = await pipeline('text-classification', folder)
    assert.ok((await value({ text: 'who', textPair: 'the cat in paris' })).score > 0)
    assert.ok((await value({ text: 'who', textPair: 'a dog in paris .' })).score < 0)
  })

  test('learns from a teacher with fewer layers than it', async () => {
    const large = await folders.bert(AutoModelForMaskedLM, { num_hidden_layers: 2 })
    const teacher = (await train(recipeOf({ initialModel: large, epochs: 8 }))).folder
    // Labels are wrong half of the time: the teacher, which has all the loss, knows better.
    const noise = rows.map(({ text, label }, i) => `${text},${i % 4 < 2 ? label : label === 'good' ? 'bad' : 'good'}`)
    const noisy = await write('noisy.csv', `text,label\n${noise.join('\n')}\n`)
    const pupil = {
      initialModel: teacher,
      data: { train: { path: noisy }, validation: { path: csv } },
      distillation: { teacher, alpha: 1, layers: 1, hiddenStates: { weight: 0.5 } },
    }
    const { folder, results, history } = await train(recipeOf(pupil))
    assert.equal(results.results.validation?.accuracy, 1)
    assert.ok(history.history.loss[0] > history.history.loss[11])
    const { num_hidden_layers: layers } = (await AutoConfig.fromPretrained(folder)) as unknown as Record<string, number>
    assert.equal(layers, 1)
    // What it learned from is not needed to use it.
    assert.equal((await evaluateModel(folder, { data: { path: csv } })).results.accuracy, 1)

    const short = { ...pupil, epochs: 2 }
    const whole = await train(recipeOf(short))
    const recipe = recipeOf({ ...short, checkpointEveryBatches: 1 })
    const stop = new AbortController()
    const log = (): void => stop.abort()
    await assert.rejects(train(recipe, { signal: stop.signal, quiet: false, log }), { name: 'InterruptedError' })
    assert.deepEqual((await train(recipe, { resume: true })).history.history, whole.history.history)

    const wrong = async (more: object, message: RegExp): Promise<void> =>
      assert.rejects(train(recipeOf({ ...pupil, ...more })), message)
    await wrong({ distillation: { teacher, layers: 3 } }, /distillation\.layers: initialModel has 2 layers, not 3/)
    const wide = await folders.bert(AutoModelForMaskedLM, { hidden_size: 8 })
    await wrong(
      { initialModel: wide, distillation: { teacher, hiddenStates: {} } },
      /states of 8 and 16 numbers cannot be compared/,
    )
    await wrong({ data: { train: { path: csv }, labels: ['bad', 'fair', 'good'] } }, /for the classes bad, fair, good/)
  })

  test('says what is wrong with the data', async () => {
    const long = await write('long.csv', `text,label\n${'cat '.repeat(40)},good\na,bad\n`)
    await assert.rejects(
      train(recipeOf({}, long)),
      /text 1 of the train part has 42 tokens, .* reads 24: .*"truncation": true/,
    )
    const cut = recipeOf({ truncation: true, epochs: 1 }, long)
    assert.equal((await train(cut)).results.examples.train, 2)
    const numbers = await write('numbers.csv', 'text,label\na,one\n')
    await assert.rejects(
      train(recipeOf({ problem: 'regression' }, numbers)),
      /numbers\.csv.*expected a number, got "one"/s,
    )
    const one = await write('one.csv', 'text,label\na,x\nb,x\n')
    await assert.rejects(train(recipeOf({}, one)), /needs at least 2 classes, the data has 1/)
    const other = { train: { path: csv }, labels: ['good', 'other'] }
    await assert.rejects(train(recipeOf({ data: other })), /expected a label of "good", "other", got "bad"/)
    await assert.rejects(
      train(recipeOf({ initialModel: 'hotel-sentiment-zh' })),
      /fine-tune it with the task text-classification/,
    )
    await assert.rejects(
      train(recipeOf({ keepBest: 'val_f1' })),
      /keepBest: this run logs loss, accuracy, val_loss, val_accuracy/,
    )
  })

  test('says what is wrong with the recipe', () => {
    assert.throws(() => recipeOf({ model: { layers: [] } }), /model: a published checkpoint is fine-tuned/)
    assert.throws(
      () => recipeOf({ problem: 'regression', labelSmoothing: 0.1 }),
      /labelSmoothing: has no meaning for regression/,
    )
    assert.throws(() => recipeOf({ optimizer: { name: 'sgd' } }), /optimizer\.name/)
    const split = { by: 'fnv1a', buckets: 2, test: [0], validation: [0] }
    assert.throws(() => recipeOf({ data: { train: { path: csv }, split } }), /bucket 0 is in both test and validation/)
  })
})

describe('the optimizer of fine-tuning', () => {
  test('warms up, falls, slows lower layers down, and spares biases and norms from decay', async () => {
    const model = await AutoModelForSequenceClassification.fromConfig({
      model_type: 'bert',
      vocab_size: 8,
      hidden_size: 8,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 8,
      max_position_embeddings: 8,
    })
    const spec = optimizerSchema.parse({
      learningRate: 1,
      layerDecay: 0.5,
      weightDecay: 0.1,
      schedule: { warmupRatio: 0.2 },
    })
    const optimizer = fineTuningOptimizer(spec, model, 10)
    const parameters = new Set(optimizer.parameters)
    assert.equal(parameters.size, model.parameters().length)
    const rates: number[] = []
    for (let step = 0; step < 10; step++) {
      optimizer.iterations = step
      rates.push(optimizer.learningRate)
    }
    assert.deepEqual(rates.slice(0, 3), [0.5, 1, 1])
    assert.ok(rates[9] < rates[3] && rates[9] > 0)
    const groups = tuningGroups(spec, model)
    const groupOf = (name: string) => groups.find((group) => group.names.includes(name))
    assert.deepEqual(
      [
        'classifier.weight',
        'bert.pooler.dense.weight',
        'bert.encoder.layer.1.output.dense.weight',
        'bert.encoder.layer.0.output.dense.weight',
        'bert.embeddings.word_embeddings.weight',
      ].map((name) => groupOf(name)?.scale),
      [1, 1, 0.5, 0.25, 0.125],
    )
    assert.equal(groupOf('classifier.weight')?.weightDecay, 0.1)
    assert.equal(groupOf('classifier.bias')?.weightDecay, 0)
    assert.equal(groupOf('bert.embeddings.LayerNorm.weight')?.weightDecay, 0)
  })
})
