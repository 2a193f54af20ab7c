// Keras' shape of training: one dense unit learns a line.
import { nn, optim, tensor } from 'kaimo'

const x = tensor([
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
])
const y = tensor([[0.5], [-0.5], [2.5], [1.5]]) // 2a - b + 0.5

const model = nn.sequential([nn.dense(1, { inputShape: [2] })])
model.compile({ optimizer: optim.sgd({ learningRate: 0.1 }), loss: 'meanSquaredError' })
const history = await model.fit(x, y, { epochs: 100 })

console.log(
  `loss after 1 epoch: ${history.history.loss[0].toFixed(4)}, after 100: ${history.history.loss[99].toFixed(6)}`,
)
for (const weight of model.weights) console.log(weight.name, JSON.stringify(await weight.value.toArray()))
