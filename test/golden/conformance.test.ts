import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runConformance } from '../../src/conformance/index.js'
import '../../src/node.js'
import { setBackend } from '../../src/runtime/index.js'

const committed = fileURLToPath(new URL('data', import.meta.url))
const shared = process.env.KAIMO_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url))
const whole = `${shared}/goldens`

interface Expectation {
  readonly area: string
  /** Cases that must all run and pass. */
  readonly filter: string
  /** So that an empty folder or a filter that matches nothing shows. */
  readonly atLeast: number
}

const EXPECTED: readonly Expectation[] = [
  { area: 'ops', filter: '^(unary|binary|reduce|shape|loss|norm|conv|pool|vision)/', atLeast: 450 },
  { area: 'optim', filter: '^(torch|keras)/(sgd|adam|adamw|rmsprop)(_|$)', atLeast: 30 },
  { area: 'optim', filter: '^(schedules|clip_ema)/', atLeast: 45 },
  { area: 'keras', filter: '^fit/(dense1|mlp|cnn|conv1d|functional|callbacks)', atLeast: 10 },
  { area: 'keras', filter: '^(layers|losses|metrics)/', atLeast: 120 },
  { area: 'models', filter: '^(bert|camembert|distilbert|deberta|esm)', atLeast: 3 },
  { area: 'models_train', filter: '^bert', atLeast: 1 },
  { area: 'generation', filter: '', atLeast: 4 },
  { area: 'metrics', filter: '', atLeast: 13 },
  { area: 'tokenizers', filter: '^chat/', atLeast: 30 },
  { area: 'pipelines', filter: '', atLeast: 33 },
]

async function holds(folder: string, { area, filter, atLeast }: Expectation): Promise<void> {
  const report = await runConformance(folder, { area, filter })
  const [{ failures, missing }] = report.areas
  assert.deepEqual(failures, [])
  assert.deepEqual(missing, {})
  assert.ok(report.passed >= atLeast, `${report.passed} cases passed, expected at least ${atLeast}`)
}

for (const backend of ['interpreter', 'cpu']) {
  describe(`frozen references on ${backend}`, () => {
    let unavailable = ''
    before(() => {
      try {
        setBackend(backend)
      } catch (error) {
        unavailable = error instanceof Error ? error.message : String(error)
      }
    })
    after(() => {
      setBackend('interpreter')
    })
    for (const expectation of EXPECTED) {
      test(`${expectation.area} ${expectation.filter}`, async (t) => {
        if (unavailable) return t.skip(unavailable)
        await holds(committed, expectation)
      })
    }
  })
}

describe('the whole set of references', { skip: existsSync(whole) ? false : `no folder ${whole}` }, () => {
  before(() => {
    setBackend('interpreter')
  })
  for (const area of ['ops', 'optim', 'keras', 'models', 'models_train', 'metrics', 'pipelines']) {
    test(`no case of ${area} fails`, async () => {
      const report = await runConformance(whole, { area })
      assert.deepEqual(report.areas[0].failures, [])
    })
  }
})
