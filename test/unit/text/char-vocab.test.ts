import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CharVocab } from '../../../src/text/char-vocab.js'

const vocab = CharVocab.fromTexts(['bba', 'a😀c'])

test('ids go by frequency, then by code point', () => {
  assert.deepEqual(vocab.tokens, ['[PAD]', '[UNK]', 'a', 'b', 'c', '😀'])
  // U+FF21 sorts before U+1F600, whose UTF-16 units would come first.
  assert.deepEqual(CharVocab.fromTexts(['😀Ａ']).tokens.slice(2), ['Ａ', '😀'])
  assert.deepEqual(CharVocab.fromTexts(['bba', 'a😀c'], { minCount: 2 }).tokens.slice(2), ['a', 'b'])
  assert.deepEqual(CharVocab.fromTexts(['bba', 'a😀c'], { maxSize: 3 }).tokens.slice(2), ['a'])
})

test('encoding counts code points, truncates and pads', () => {
  assert.deepEqual([...vocab.encode('😀xa')], [5, 1, 2])
  assert.deepEqual([...vocab.encode('abc', { maxLength: 2 })], [2, 3])
  assert.deepEqual([...vocab.encode('abc', { maxLength: 2, keep: 'end' })], [3, 4])
  assert.deepEqual([...vocab.encode('a', { maxLength: 3, pad: true })], [2, 0, 0])
  assert.deepEqual([...vocab.encode('a', { maxLength: 3 })], [2])
  assert.deepEqual(vocab.encodeBatch(['ab', '', 'c']), {
    dtype: 'i32',
    shape: [3, 2],
    data: Int32Array.of(2, 3, 0, 0, 4, 0),
  })
  assert.deepEqual(vocab.encodeBatch(['ab'], { maxLength: 3, pad: true }).shape, [1, 3])
  assert.throws(() => vocab.encode('a', { pad: true }), /padding needs maxLength/)
  assert.throws(() => vocab.encode('a', { maxLength: -1 }), /got -1/)
})

test('texts of known characters come back, and a saved vocabulary is the same', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (texts) => {
      if (texts.join('') === '') return
      const built = CharVocab.fromTexts(texts)
      const loaded = CharVocab.fromJSON(JSON.parse(JSON.stringify(built)))
      assert.deepEqual(loaded.tokens, built.tokens)
      for (const text of texts) assert.equal(loaded.decode(built.encode(text)), text)
    }),
  )
})

test('bad vocabularies and settings are refused', () => {
  const json = (tokens: unknown) => ({ type: 'char', version: 1, tokens })
  assert.throws(() => CharVocab.fromJSON({}, 'vocab.json'), /vocab\.json: expected \{"type": "char"/)
  assert.throws(() => CharVocab.fromJSON(json(['a'])), /token 0: expected \[PAD\], got "a"/)
  assert.throws(() => CharVocab.fromJSON(json(['[PAD]', '[UNK]', 'ab'])), /token 2: expected one character, got "ab"/)
  assert.throws(() => CharVocab.fromJSON(json(['[PAD]', '[UNK]', 'a', 'a'])), /token 3: "a" occurs twice/)
  assert.throws(() => CharVocab.fromJSON(json([])), /expected \[PAD\] and \[UNK\] first/)
  assert.throws(() => CharVocab.fromTexts(['']), /no character occurs 1 times/)
  assert.throws(() => CharVocab.fromTexts(['a'], { maxSize: 2 }), /expected at least 3, got 2/)
  assert.throws(() => vocab.decode([99]), /expected ids of 0 to 5, got 99/)
})
