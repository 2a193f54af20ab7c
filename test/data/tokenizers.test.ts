import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { AutoTokenizer, SentencePieceProcessor, Tokenizer } from '../../src/text/index.node.js'
import { tiktokenTokenizer } from '../../src/text/tokenizers/legacy/byte-pairs.js'
import { GPT2_PATTERN } from '../../src/text/tokenizers/pre-tokenizers/index.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const data = join(process.env.KAIMO_DATA_DIR ?? join(root, '..', 'data'), 'tokenizers')
const skip = existsSync(data) ? false : 'published vocabularies are not here (KAIMO_DATA_DIR)'

/** Texts and ids of llama.cpp's vectors. */
function vectors(name: string): [string, number[]][] {
  const path = join(data, 'ggml_vocab', `ggml-vocab-${name}.gguf`)
  const ids = readFileSync(`${path}.out`, 'utf8').split('\n')
  return readFileSync(`${path}.inp`, 'utf8')
    .split('\n__ggml_vocab_test__\n')
    .map((text, i) => [text, (ids[i] ?? '').split(/\s+/).filter(Boolean).map(Number)])
}

describe('published vocabularies', { skip }, () => {
  for (const name of ['gpt-2', 'falcon', 'deepseek-coder', 'llama-spm', 'phi-3', 'bert-bge'])
    test(`GGUF ${name} gives llama.cpp's ids`, async () => {
      const { backend } = await AutoTokenizer.fromPretrained(join(data, 'ggml_vocab', `ggml-vocab-${name}.gguf`))
      for (const [text, ids] of vectors(name))
        assert.deepEqual(backend.encode(text, null, { addSpecialTokens: false }).ids, ids, JSON.stringify(text))
    })

  test("tiktoken's ranks of GPT-2 give the same ids", () => {
    const ranks = readFileSync(join(data, 'tiktoken/gpt2.tiktoken'), 'utf8')
    const tokenizer = Tokenizer.fromJson(tiktokenTokenizer(ranks, {}, GPT2_PATTERN).json)
    for (const [text, ids] of vectors('gpt-2')) assert.deepEqual(tokenizer.encode(text).ids, ids, JSON.stringify(text))
  })

  test("a SentencePiece model gives its library's ids, pieces and text", () => {
    const folder = join(data, 'sentencepiece')
    const processor = SentencePieceProcessor.fromBytes(readFileSync(join(folder, 'test_model.model')))
    const { items } = JSON.parse(readFileSync(join(folder, 'test_model.golden.json'), 'utf8')) as {
      items: { text: string; ids: number[]; pieces: string[]; decoded: string }[]
    }
    for (const { text, ids, pieces, decoded } of items) {
      assert.deepEqual(processor.encode(text), ids)
      assert.deepEqual(processor.encodeAsPieces(text), pieces)
      assert.equal(processor.decode(ids), decoded)
    }
  })

  test("bert-base-chinese's vocabulary gives transformers' tokens and ids", async () => {
    const folder = join(data, 'bert_base_chinese')
    const tokenizer = await AutoTokenizer.fromPretrained(folder)
    const { items } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as {
      items: { text: string; ids: number[]; tokens: string[] }[]
    }
    for (const { text, ids, tokens } of items) {
      assert.deepEqual(tokenizer.encode(text), ids)
      assert.deepEqual(tokenizer.tokenize(text), tokens)
    }
  })
})
