// A published BERT as a classifier of Chinese texts: tokenizer and model from a folder (or a hub id such as bert-base-chinese), a loss and
// logits, a few steps of fine-tuning, and a folder that Python's transformers loads. Without an argument a tiny model in the same layout is
// made first: npx tsx examples/bert-chinese.ts [FOLDER_OR_HUB_ID]
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AutoModelForPreTraining,
  AutoModelForSequenceClassification,
  AutoTokenizer,
  jit,
  optim,
  saveTokenizer,
  seed,
  type Tensor,
  tensor,
  valueAndGrad,
} from 'kaimo'

const rows = (await readFile(new URL('data/reviews-zh.tsv', import.meta.url), 'utf8')).trim().split('\n').slice(1)
const reviews = rows
  .map((row) => row.split('\t'))
  .map(([text, label]) => ({ text, label: Number(label === 'positive') }))

/** A folder as that of bert-base-chinese: vocab.txt, config.json and the weights of a pre-trained BERT, here random and tiny. */
async function tinyFolder(folder: string): Promise<string> {
  const characters = [...new Set(reviews.flatMap(({ text }) => [...text]))].sort()
  const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...characters]
  const sizes = { hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 128 }
  const config = { model_type: 'bert', vocab_size: vocabulary.length, max_position_embeddings: 128, ...sizes }
  await (await AutoModelForPreTraining.fromConfig(config)).savePretrained(folder)
  await writeFile(join(folder, 'vocab.txt'), `${vocabulary.join('\n')}\n`)
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ model_max_length: 128 }))
  return folder
}

seed(1)
const work = await mkdtemp(join(tmpdir(), 'kaimo-bert-'))
const source = process.argv[2] ?? (await tinyFolder(join(work, 'bert-tiny-chinese')))

const tokenizer = await AutoTokenizer.fromPretrained(source)
// The folder holds no classifier: it is drawn anew, and `onNote` hears which tensors that concerns.
const onNote = (note: string): void => console.log(`note: ${note}`)
const model = await AutoModelForSequenceClassification.fromPretrained(source, { numLabels: 2, onNote })

const { loss, logits } = model.forward({ ...tokenizer('今天天气真好'), labels: [1] })
console.log('loss', await loss?.item(), 'logits', JSON.stringify(await logits?.toArray()))

const parameters = model.train().parameters()
const steps = 24
const lr = optim.schedules.transformers.linear(2e-3, { numWarmupSteps: 4, numTrainingSteps: steps })
const optimizer = optim.torch.adamw(parameters, { lr, weightDecay: 0.01 })
const lossAndGrad = valueAndGrad((inputs: Record<string, Tensor>) => model.forward(inputs).loss as Tensor, parameters)
const step = jit((inputs: Record<string, Tensor>) => {
  const { value, grads } = lossAndGrad(inputs)
  optimizer.step(optim.clipGradNorm(grads, 1).grads)
  return value
})

const batchSize = 16
for (let i = 0; i < steps; i++) {
  const start = (i * batchSize) % reviews.length
  const batch = reviews.slice(start, start + batchSize)
  const inputs = tokenizer(
    batch.map(({ text }) => text),
    { padding: 'max_length', truncation: true, maxLength: 32 },
  )
  const labels = tensor(Int32Array.from(batch, ({ label }) => label))
  const value = await step({ ...inputs, labels }).item()
  if (i % 4 === 0 || i === steps - 1) console.log(`step ${i + 1}: loss ${value.toFixed(4)}`)
}

const folder = join(work, 'fine-tuned')
await model.eval().savePretrained(folder)
await saveTokenizer(tokenizer, folder)
const again = await AutoModelForSequenceClassification.fromPretrained(folder)
const inputs = tokenizer('房间很干净，下次还来。')
const [before, after] = await Promise.all([model, again].map((one) => one.forward(inputs).logits?.toArray()))
console.log('logits', JSON.stringify(before), 'after saving and loading', JSON.stringify(after))
if (!process.argv.includes('--keep')) await rm(work, { recursive: true })
