// How late a 10 ms timer fires while `fit` runs, compilation included: the event loop must stay free.
//   node --conditions=kaimo-source --import tsx bench/timer-lateness.ts
import { nn, optim, random, seed } from 'kaimo'

seed(1)
const model = nn.sequential([
  nn.conv2D(16, 3, { activation: 'relu', padding: 'same', inputShape: [28, 28, 1] }),
  nn.maxPooling2D(2),
  nn.conv2D(32, 3, { activation: 'relu', padding: 'same' }),
  nn.maxPooling2D(2),
  nn.flatten(),
  nn.dense(128, { activation: 'relu' }),
  nn.dropout(0.3),
  nn.dense(10),
])
model.compile({
  optimizer: optim.adam(),
  loss: { class_name: 'SparseCategoricalCrossentropy', config: { from_logits: true } },
  metrics: ['accuracy'],
})
const examples = 6_400
const x = random.uniform([examples, 28, 28, 1])
const y = random.randint([examples], 0, 10)
await x.data()

const PERIOD = 10
const lateness: number[] = []
let due = performance.now() + PERIOD
let timer = setTimeout(function tick() {
  const now = performance.now()
  lateness.push(now - due)
  due = now + PERIOD
  timer = setTimeout(tick, PERIOD)
}, PERIOD)

const start = performance.now()
await model.fit(x, y, { epochs: 3, batchSize: 64 })
clearTimeout(timer)

lateness.sort((a, b) => a - b)
const at = (share: number): number =>
  Number(lateness[Math.min(lateness.length - 1, Math.floor(share * lateness.length))].toFixed(2))
console.log(
  JSON.stringify({
    seconds: Number(((performance.now() - start) / 1000).toFixed(1)),
    ticks: lateness.length,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    max_ms: at(1),
  }),
)
