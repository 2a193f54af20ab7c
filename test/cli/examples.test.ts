import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { AutoModelForPreTraining } from '../../src/node.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Unpacked data: the real vocabulary of bert-base-chinese is in `tokenizers/bert_base_chinese`. */
const vocabulary = join(
  process.env.KAIMO_DATA_DIR ?? join(root, '..', 'data'),
  'tokenizers/bert_base_chinese/vocab.txt',
)

function runExample(name: string, args: readonly string[] = []): Promise<string> {
  const flags = ['--conditions=kaimo-source', '--import', 'tsx', `examples/${name}`, ...args]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, flags, { cwd: root })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(out) : reject(new Error(`exit code ${code}: ${err}`))))
  })
}

/** What the article's example must say: the note on the new head, a loss of two classes, falling loss, an equal copy. */
function check(out: string): void {
  assert.match(out, /newly initialised, train it before use: classifier\.weight, classifier\.bias/)
  const loss = Number(/^loss (\S+) logits \[\[\S+,\S+\]\]$/m.exec(out)?.[1])
  assert.ok(loss > 0.3 && loss < 1.5, `the loss of a new head is ${loss}, expected about log 2`)
  const losses = [...out.matchAll(/^step \d+: loss (\S+)$/gm)].map(([, value]) => Number(value))
  assert.ok(losses.length >= 4)
  assert.ok(losses[losses.length - 1] < losses[0] - 0.03, `losses ${losses.join(', ')} do not fall`)
  const [, saved, loaded] = /^logits (\S+) after saving and loading (\S+)$/m.exec(out) ?? []
  assert.ok(saved)
  assert.equal(loaded, saved)
}

describe('examples', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kaimo-examples-'))
  })
  after(() => rm(folder, { recursive: true }))

  test('bert-chinese', async () => check(await runExample('bert-chinese.ts')))

  const missing = existsSync(vocabulary) ? false : `no file ${vocabulary}`
  test('bert-chinese with the vocabulary of bert-base-chinese', { skip: missing }, async () => {
    const sizes = { hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 128 }
    const model = await AutoModelForPreTraining.fromConfig({
      model_type: 'bert',
      vocab_size: 21128,
      initializer_range: 0.1,
      ...sizes,
    })
    await model.savePretrained(folder)
    await cp(vocabulary, join(folder, 'vocab.txt'))
    await writeFile(join(folder, 'tokenizer_config.json'), '{"do_lower_case": false, "model_max_length": 512}')
    check(await runExample('bert-chinese.ts', [folder]))
  })
})
