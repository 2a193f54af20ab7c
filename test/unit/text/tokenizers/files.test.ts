import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import {
  AutoTokenizer,
  callable,
  loadTokenizer,
  PreTrainedTokenizer,
  SentencePieceProcessor,
  saveTokenizer,
} from '../../../../src/text/tokenizers/index.node.js'
import { readTiktoken } from '../../../../src/text/tokenizers/legacy/byte-pairs.js'
import { bertLike, TEXTS } from './samples.js'

describe('tokenizers from files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kaimo-tokenizers-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('saved in a folder it loads again, and can be called', async () => {
    const tokenizer = new PreTrainedTokenizer(bertLike())
    tokenizer.padToken = '[PAD]'
    await saveTokenizer(tokenizer, join(folder, 'saved'))
    const again = await AutoTokenizer.fromPretrained(join(folder, 'saved'))
    assert.equal(again.padToken, '[PAD]')
    for (const text of TEXTS) assert.deepEqual(again.encode(text), tokenizer.encode(text))
    const inputs = again(TEXTS, { padding: true })
    assert.equal(inputs.input_ids.shape[0], TEXTS.length)
    assert.ok(again instanceof PreTrainedTokenizer)
    assert.deepEqual(callable(tokenizer).tokenize('the dog'), tokenizer.tokenize('the dog'))
  })

  test('vocab.txt: lines end at U+000A alone', async () => {
    const lines = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '\u2028', '\u0085', '天', 'dog', '##s']
    const path = join(folder, 'bert')
    await saveTokenizer(new PreTrainedTokenizer(bertLike()), path)
    await rm(join(path, 'tokenizer.json'))
    await rm(join(path, 'tokenizer_config.json'))
    await writeFile(join(path, 'vocab.txt'), `${lines.join('\n')}\n`)
    const tokenizer = await loadTokenizer(path)
    assert.equal(tokenizer.vocabSize, lines.length)
    assert.deepEqual(tokenizer.encode('天 DOGS cat'), [2, 7, 8, 9, 1, 3])
    assert.equal(tokenizer.maskTokenId, 4)
  })

  test('vocab.json and merges.txt', async () => {
    const path = join(folder, 'gpt2')
    await saveTokenizer(new PreTrainedTokenizer(bertLike()), path)
    await rm(join(path, 'tokenizer.json'))
    await rm(join(path, 'tokenizer_config.json'))
    await writeFile(
      join(path, 'vocab.json'),
      JSON.stringify({ '<|endoftext|>': 0, l: 1, o: 2, w: 3, Ġ: 4, lo: 5, low: 6, Ġlow: 7 }),
    )
    await writeFile(join(path, 'merges.txt'), '#version: 0.2\nl o\nlo w\nĠ low\n')
    const tokenizer = await loadTokenizer(path)
    assert.deepEqual(tokenizer.encode('low low<|endoftext|>'), [6, 7, 0])
    assert.equal(tokenizer.decode([6, 7, 0], { skipSpecialTokens: true }), 'low low')
  })

  test('vocab.json alone: characters whose repetitions are joined', async () => {
    const path = join(folder, 'ctc')
    await mkdir(path)
    const vocab = { '<pad>': 0, '<s>': 1, '</s>': 2, '<unk>': 3, '|': 4, A: 5, B: 6 }
    await writeFile(join(path, 'vocab.json'), JSON.stringify(vocab))
    await writeFile(join(path, 'tokenizer_config.json'), JSON.stringify({ tokenizer_class: 'Wav2Vec2CTCTokenizer' }))
    const tokenizer = await loadTokenizer(path)
    assert.deepEqual(tokenizer.encode('AB Bx'), [5, 6, 4, 6, 3])
    assert.equal(tokenizer.decode([4, 5, 5, 0, 5, 4, 4, 6, 4]), 'AA B')
  })

  test('older files: added_tokens.json and special_tokens_map.json beside a vocab.txt', async () => {
    const path = join(folder, 'added')
    await mkdir(path)
    const write = (name: string, value: unknown) => writeFile(join(path, name), JSON.stringify(value))
    await writeFile(join(path, 'vocab.txt'), '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ndog\ncat\n')
    await write('tokenizer_config.json', { tokenizer_class: 'BertTokenizer', pad_token: '[UNK]' })
    await write('special_tokens_map.json', { pad_token: '[PAD]', mask_token: { content: '[MASK]', lstrip: true } })
    await write('added_tokens.json', { '[NEW]': 8, new_tok: 7 })
    const tokenizer = await loadTokenizer(path)
    assert.equal(tokenizer.padToken, '[PAD]')
    const { tokens } = tokenizer.backend.encode('dog [MASK] NEW_TOK[new]cat')
    assert.deepEqual(tokens, ['[CLS]', 'dog', ' [MASK]', 'new_tok', '[new]', 'cat', '[SEP]'])
    assert.deepEqual(tokenizer.encode('NEW_TOK[new]'), [2, 7, 8, 3])
    // A config that lists the added tokens itself is taken at its word.
    const mask = { content: '[MASK]', rstrip: true, normalized: false, special: true }
    await write('tokenizer_config.json', { tokenizer_class: 'BertTokenizer', added_tokens_decoder: { 4: mask } })
    const newer = await loadTokenizer(path)
    assert.equal(newer.tokenToId('new_tok'), undefined)
    assert.deepEqual(newer.tokenize('dog [MASK] cat'), ['dog', '[MASK] ', 'cat'])
    await write('tokenizer_config.json', { tokenizer_class: 'BertTokenizer' })
    await write('added_tokens.json', { a: 'b' })
    await assert.rejects(loadTokenizer(path), /added_tokens\.json: "a" has no id but "b"/)
  })

  test('a folder without tokenizer says what was expected', async () => {
    await mkdir(join(folder, 'empty'))
    await assert.rejects(loadTokenizer(join(folder, 'empty')), /expected tokenizer\.json, vocab\.txt/)
  })

  test('random bytes are no SentencePiece model, and no crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          SentencePieceProcessor.fromBytes(bytes).encode('a b')
        } catch (error) {
          assert.ok(error instanceof Error && /FormatError|RangeError/.test(error.name), String(error))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('malformed ranks name their line', () => {
    assert.equal(readTiktoken('IQ== 0\nIg== 1\n').size, 2)
    assert.throws(() => readTiktoken('IQ== 0\nnonsense\n'), /line 2/)
  })
})
