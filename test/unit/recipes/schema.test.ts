import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { recipeJson } from '../../../src/recipes/output.node.js'
import { parseRecipe, RecipeError } from '../../../src/recipes/schema.js'

const RECIPES = new URL('../../../recipes/', import.meta.url)

const text = (changes: object = {}): object => ({
  task: 'text-classification',
  name: 'a',
  epochs: 1,
  output: 'out',
  data: { train: { path: 'a.csv' } },
  model: { architecture: 'text-cnn' },
  ...changes,
})

describe('recipes', () => {
  it('of the package are valid', () => {
    const names = readdirSync(RECIPES).filter((name) => name.endsWith('.json'))
    assert.ok(names.length >= 4)
    for (const name of names) {
      const recipe = parseRecipe(JSON.parse(readFileSync(new URL(name, RECIPES), 'utf8')), name)
      assert.equal(`${recipe.name}.json`, name)
    }
  })

  it('are filled up with defaults, and written so that they can be read again', () => {
    const recipe = parseRecipe(text(), 'r.json')
    assert.equal(recipe.batchSize, 32)
    assert.deepEqual(recipe.optimizer.schedule, { type: 'constant' })
    assert.deepEqual(parseRecipe(JSON.parse(JSON.stringify(recipeJson(recipe))), 'r.json'), recipe)
  })

  const faults: readonly (readonly [what: string, change: object, message: RegExp])[] = [
    ['an unknown task', { task: 'translation' }, /task: expected image-classification, .*got "translation"/],
    ['an unknown field', { epoch: 3 }, /"epoch"/],
    [
      'an unknown architecture',
      { model: { architecture: 'bert' } },
      /model\.architecture: expected one of text-cnn, text-gru, got "bert"/,
    ],
    ['an architecture of another task', { model: { architecture: 'char-lstm' } }, /got "char-lstm"/],
    ['an unknown setting of an architecture', { model: { architecture: 'text-cnn', width: 3 } }, /model: .*"width"/],
    ['neither layers nor architecture', { model: {} }, /model: expected layers or architecture/],
    ['no model', { model: undefined }, /model: expected either model or initialModel/],
    ['two models', { initialModel: 'b' }, /model: expected either model or initialModel/],
    [
      'a tokenizer beside an initial model',
      { model: undefined, initialModel: 'b', tokenizer: {} },
      /tokenizer: initialModel brings its own/,
    ],
    [
      'an unknown schedule',
      { optimizer: { schedule: { type: 'step' } } },
      /optimizer\.schedule\.type: expected constant, cosine, linear, got "step"/,
    ],
    [
      'a plateau callback beside a schedule',
      { optimizer: { schedule: { type: 'cosine' } }, callbacks: [{ type: 'reduceLROnPlateau' }] },
      /callbacks\.0: reduceLROnPlateau needs a constant schedule/,
    ],
    [
      'best weights beside an average',
      { optimizer: { useEma: true }, callbacks: [{ type: 'earlyStopping' }] },
      /callbacks\.0: restoreBestWeights and useEma exclude each other/,
    ],
    [
      'a bucket past the last',
      { data: { train: { path: 'a' }, split: { by: 'fnv1a', buckets: 4, test: [4], validation: [] } } },
      /split\.test holds a bucket past 3/,
    ],
    [
      'a bucket in two parts',
      { data: { train: { path: 'a' }, split: { by: 'fnv1a', test: [1], validation: [1] } } },
      /bucket 1 is in both test and validation/,
    ],
  ]
  for (const [what, change, message] of faults) {
    it(`with ${what} are refused`, () => {
      assert.throws(
        () => parseRecipe(text(change), 'r.json'),
        (error) => error instanceof RecipeError && message.test(error.message) && error.message.startsWith('r.json: '),
      )
    })
  }
})
