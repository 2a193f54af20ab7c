// How well a sentence encoder's similarities rank pairs of sentences: Spearman's correlation with what people said, on a CSV of
// "sentence,sentence,score" without a head line, such as the test part of STS-B:
// npx tsx examples/sentence-similarity.ts FOLDER_OR_HUB_ID stsb-en-test.csv
import { fromCsv } from 'kaimo/data'
import { spearmanr } from 'kaimo/metrics'
import { pipeline } from 'kaimo/tasks'

const [model, file] = process.argv.slice(2)
if (!file) throw new Error('name a model and a CSV file')
const compare = await pipeline('sentence-similarity', model)
const columns = { first: 'string', second: 'string', score: 'number' } as const
const pairs = await (await fromCsv(file, { columns, header: ['first', 'second', 'score'] })).toArray()

const start = performance.now()
const [first, second] = await Promise.all(
  (['first', 'second'] as const).map((side) =>
    compare.embed(
      pairs.map((pair) => pair[side]),
      { batchSize: 32 },
    ),
  ),
)
const cosines = first.map((vector, i) => vector.reduce((sum, value, k) => sum + value * second[i][k], 0))
const seconds = (performance.now() - start) / 1000
console.log(`${compare.model}: ${pairs.length} pairs in ${seconds.toFixed(1)} s`)
console.log(
  `Spearman ${spearmanr(
    cosines,
    pairs.map(({ score }) => score),
  ).toFixed(4)}`,
)
