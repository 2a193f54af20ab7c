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

  /** Writes a text file and returns its path. */
  async write(folder: string, name: string, text: string): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, text)
    return path
  }

  /** A model of random weights with a WordPiece vocabulary. */
  private async model(auto: AutoModelFactory, config: object): Promise<string> {
    const folder = await this.make()
    seed(3)
    const model = await auto.fromConfig({ vocab_size: VOCABULARY.length, initializer_range: 0.4, ...config })
    await model.savePretrained(folder)
    await writeFile(join(folder, 'vocab.txt'), `${VOCABULARY.join('\n')}\n`)
    return folder
  }

  /** A BERT that reads 24 tokens. */
  bert(auto: AutoModelFactory, config: object = {}): Promise<string> {
    const sizes = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32 }
    return this.model(auto, { model_type: 'bert', max_position_embeddings: 24, ...sizes, ...config })
  }

  /** A GPT-2 that reads 24 tokens. */
  gpt2(auto: AutoModelFactory): Promise<string> {
    return this.model(auto, { model_type: 'gpt2', n_positions: 24, n_embd: 16, n_layer: 1, n_head: 2 })
  }

  /** A BART that reads 24 tokens. */
  bart(auto: AutoModelFactory, config: object = {}): Promise<string> {
    const layers = { encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2 }
    const sizes = { d_model: 16, encoder_ffn_dim: 32, decoder_ffn_dim: 32, max_position_embeddings: 24, init_std: 0.4 }
    const tokens = { pad_token_id: 0, bos_token_id: 2, eos_token_id: 3, decoder_start_token_id: 2 }
    return this.model(auto, { model_type: 'bart', ...layers, ...sizes, ...tokens, ...config })
  }

  async remove(): Promise<void> {
    await Promise.all(this.#made.map((folder) => rm(folder, { recursive: true, force: true })))
  }
}
