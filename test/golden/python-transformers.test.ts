/** What fine-tuning writes is read by Python's transformers, with equal outputs. Needs a Python with torch and transformers (KAIMO_PYTHON). */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  AutoModel,
  AutoModelForQuestionAnswering,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  AutoTokenizer,
} from '../../src/node.js'
import { parseRecipe, trainRecipe } from '../../src/recipes.node.js'
import { tensor } from '../../src/tensor/index.js'
import { Folders } from '../support/tiny-models.js'

const python = process.env.KAIMO_PYTHON ?? 'python3'
const there = spawnSync(python, ['-c', 'import torch, transformers'], { stdio: 'ignore' }).status === 0
const skip = there ? false : `${python} has no torch and transformers (name another one as KAIMO_PYTHON)`

const SCRIPT = `
import json, sys, torch, transformers
transformers.logging.set_verbosity_error()
for line in sys.stdin:
    job = json.loads(line)
    cls = getattr(transformers, job["class"])
    model, info = cls.from_pretrained(job["folder"], output_loading_info=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(job["folder"])
    inputs = tokenizer(job["text"], return_tensors="pt")
    with torch.no_grad():
        output = model.eval()(**inputs)
    print(json.dumps({
        "ids": inputs["input_ids"][0].tolist(),
        "missing": sorted(info["missing_keys"]) + sorted(info["unexpected_keys"]),
        "labels": [model.config.id2label[i] for i in range(model.config.num_labels)],
        "output": output[job["output"]].flatten().tolist(),
    }))
`

interface Answer {
  readonly ids: number[]
  readonly missing: string[]
  readonly labels: string[]
  readonly output: number[]
}

const folders = new Folders()
after(() => folders.remove())

const TEXT = 'the cat sat in paris'
const rows = ['the cat sat', 'a dog in paris', 'who lived in london', 'foxes sat']
const FILES = {
  'sequence-classification': `text,label\n${rows.map((row, i) => `${row},${i % 2 ? 'no' : 'yes'}`).join('\n')}\n`,
  'token-classification': rows
    .map(
      (row) =>
        `${row
          .split(' ')
          .map((word) => `${word} ${word === 'paris' ? 'B-LOC' : 'O'}`)
          .join('\n')}\n`,
    )
    .join('\n'),
  'question-answering': JSON.stringify({
    data: [
      {
        paragraphs: [
          {
            context: TEXT,
            qas: [{ question: 'where ?', answers: [{ text: 'paris', answer_start: TEXT.indexOf('paris') }] }],
          },
        ],
      },
    ],
  }),
  'sentence-embedding': `text,textPair,near\n${rows.map((row, i) => `${row},${rows[(i + 1) % 4]},${i / 3}`).join('\n')}\n`,
} as const

const HEADS = {
  'sequence-classification': ['AutoModelForSequenceClassification', AutoModelForSequenceClassification, 'logits'],
  'token-classification': ['AutoModelForTokenClassification', AutoModelForTokenClassification, 'logits'],
  'question-answering': ['AutoModelForQuestionAnswering', AutoModelForQuestionAnswering, 'start_logits'],
  'sentence-embedding': ['AutoModel', AutoModel, 'last_hidden_state'],
} as const

type Task = keyof typeof FILES

async function tune(task: Task): Promise<string> {
  const data = await folders.make()
  const path = join(data, task === 'question-answering' ? 'data.json' : 'data.csv')
  await writeFile(path, FILES[task])
  const recipe = parseRecipe(
    {
      task,
      name: 'tiny',
      initialModel: await folders.bert(AutoModel),
      data: { train: { path, ...(task === 'sentence-embedding' ? { score: 'near' } : {}) } },
      epochs: 1,
      ...(task === 'question-answering' ? { maxLength: 24, stride: 4 } : {}),
      output: join(data, 'run'),
    },
    'recipe',
  )
  return (await trainRecipe(recipe, { quiet: true })).folder
}

for (const task of Object.keys(FILES) as Task[])
  test(`Python reads what ${task} writes`, { skip }, async () => {
    const folder = await tune(task)
    const [className, auto, output] = HEADS[task]
    const input = JSON.stringify({ folder, class: className, text: TEXT, output })
    const { status, stdout, stderr } = spawnSync(python, ['-c', SCRIPT], { input, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    const answer = JSON.parse(stdout) as Answer
    assert.deepEqual(answer.missing, [])
    const tokenizer = await AutoTokenizer.fromPretrained(folder)
    const { ids } = tokenizer.backend.encode(TEXT, null, { truncation: null, padding: null })
    assert.deepEqual([...ids], answer.ids)
    const model = await auto.fromPretrained(folder)
    if (task === 'sequence-classification') assert.deepEqual(answer.labels, ['no', 'yes'])
    const found = model.forward({ input_ids: tensor(Int32Array.from(ids), { shape: [1, ids.length] }) })[output]
    const own = Array.from((await found?.data()) as Float32Array)
    assert.equal(own.length, answer.output.length)
    for (const [i, value] of own.entries()) assert.ok(Math.abs(value - answer.output[i]) < 1e-4, `${i}: ${value}`)
  })
