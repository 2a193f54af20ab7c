import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AutoModelFactory, seed } from '../../src/node.js'

/** Words that the tokenizer knows; `##` goes on within a word. */
const WORDS =
  '. the a cat dog ##s sat on mat quick brown fox ##es paris london live ##d in who where ? this example is animal city'.split(
    ' ',
  )
const VOCABULARY = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...WORDS]

/** Folders that are removed together. */
export class Folders {
  readonly #made: string[] = []

  async make(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'kaimo-tasks-'))
    this.#made.push(folder)
    return folder
  }

  /** A BERT of random weights with a WordPiece vocabulary, reading 24 tokens. */
  async bert(auto: AutoModelFactory, config: object = {}): Promise<string> {
    const folder = await this.make()
    seed(3)
    const sizes = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32 }
    const common = {
      model_type: 'bert',
      vocab_size: VOCABULARY.length,
      max_position_embeddings: 24,
      initializer_range: 0.4,
    }
    const model = await auto.fromConfig({ ...common, ...sizes, ...config })
    await model.savePretrained(folder)
    await writeFile(join(folder, 'vocab.txt'), `${VOCABULARY.join('\n')}\n`)
    return folder
  }

  async remove(): Promise<void> {
    await Promise.all(this.#made.map((folder) => rm(folder, { recursive: true, force: true })))
  }
}
