// Regularization lowers the validation loss on real data: the same network with and without dropout and L2, paired seeds.
//   examples/regularization.ts FOLDER   (a folder with Fashion-MNIST's train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz)
import { join } from 'node:path'
import { nn, optim, seed, tensor } from 'kaimo'
import { readIdx } from 'kaimo/formats'

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('name the folder that holds train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz')

const TRAIN = 2_000
const VALIDATION = 2_000
const PIXELS = 784

const images = await readIdx(join(folder, 'train-images-idx3-ubyte.gz'))
const labels = await readIdx(join(folder, 'train-labels-idx1-ubyte.gz'))
const pixels = Float32Array.from(
  images.data.subarray(0, (TRAIN + VALIDATION) * PIXELS) as Uint8Array,
  (byte) => byte / 255,
)
const part = (from: number, to: number) => ({
  x: tensor(pixels.subarray(from * PIXELS, to * PIXELS), { shape: [to - from, PIXELS] }),
  y: tensor(Int32Array.from(labels.data.subarray(from, to) as Uint8Array)),
})
const train = part(0, TRAIN)
const validation = part(TRAIN, TRAIN + VALIDATION)

/** Validation loss after 20 epochs. */
async function validationLoss(regularized: boolean, runSeed: number): Promise<number> {
  seed(runSeed)
  const kernelRegularizer = regularized ? nn.l2(1e-4) : null
  const model = nn.sequential([
    nn.dense(256, { activation: 'relu', kernelRegularizer, inputShape: [PIXELS] }),
    ...(regularized ? [nn.dropout(0.5)] : []),
    nn.dense(10, { activation: 'softmax', kernelRegularizer }),
  ])
  model.compile({ optimizer: optim.adam({ learningRate: 1e-3 }), loss: 'sparseCategoricalCrossentropy' })
  await model.fit(train.x, train.y, { epochs: 20, batchSize: 64, seed: runSeed })
  const predicted = await model.predict(validation.x, { batchSize: 500 })
  if (Array.isArray(predicted)) throw new Error('one output was expected')
  // The penalty is no part of what is compared.
  const loss = nn.getLoss('sparseCategoricalCrossentropy')(validation.y, predicted).mean()
  return loss.item()
}

const rows: { seed: number; plain: number; regularized: number }[] = []
for (const runSeed of [1, 2, 3]) {
  rows.push({
    seed: runSeed,
    plain: await validationLoss(false, runSeed),
    regularized: await validationLoss(true, runSeed),
  })
}
const mean = (key: 'plain' | 'regularized'): number => rows.reduce((sum, row) => sum + row[key], 0) / rows.length
for (const row of rows)
  console.log(`seed ${row.seed}: plain ${row.plain.toFixed(4)}, regularized ${row.regularized.toFixed(4)}`)
console.log(`mean: plain ${mean('plain').toFixed(4)}, regularized ${mean('regularized').toFixed(4)}`)
