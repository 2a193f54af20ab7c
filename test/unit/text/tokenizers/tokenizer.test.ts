import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { addedToken, PreTrainedTokenizer, Tokenizer } from '../../../../src/text/tokenizers/index.js'
import { bertLike, byteLevelBpe, TEXTS, unigram } from './samples.js'

const QWEN = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const KINDS = { bert: bertLike(), gpt2: byteLevelBpe(), qwen: byteLevelBpe(QWEN), unigram: unigram() }

/** Texts of pieces that pre-tokenizers treat differently. */
const pieces = fc.oneof(
  fc.constantFrom(
    ...TEXTS.flatMap((text) => text.split(/(?<= )/)),
    ' ',
    '  ',
    '\n',
    '\r\n',
    "'s",
    "'LL",
    '1234',
    '#',
    '<|end|>',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const texts = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''))

/** The tokenizer without its quick way to ids: asking for words takes the exact one. */
const exactIds = (tokenizer: Tokenizer, text: string): number[] =>
  tokenizer.encode([text], null, { addSpecialTokens: false }).ids

describe('tokenizers', () => {
  for (const [name, tokenizer] of Object.entries(KINDS)) {
    test(`${name}: the quick path gives the ids of the exact one, and as many offsets`, () => {
      fc.assert(
        fc.property(texts, (text) => {
          const encoding = tokenizer.encode(text, null, { addSpecialTokens: false })
          assert.deepEqual(encoding.ids, exactIds(tokenizer, text))
          assert.equal(encoding.offsets.length, encoding.ids.length)
          for (const [start, end] of encoding.offsets) assert.ok(start <= end && end <= text.length)
        }),
        { numRuns: 150 },
      )
    })

    test(`${name}: saved and read again it is the same`, () => {
      const again = Tokenizer.fromJson(JSON.parse(JSON.stringify(tokenizer)))
      assert.deepEqual(again.toJSON(), tokenizer.toJSON())
      for (const text of TEXTS) assert.deepEqual(again.encode(text).ids, tokenizer.encode(text).ids)
    })

    test(`${name}: a batch gives what single texts give`, () => {
      const batch = tokenizer.encodeBatch(TEXTS)
      for (const [i, text] of TEXTS.entries()) assert.deepEqual(batch[i].ids, tokenizer.encode(text).ids)
    })
  }

  test('byte-level BPE decodes to the text it encoded', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const whole = text.replace(/\p{Surrogate}/gu, '\ufffd')
        assert.equal(KINDS.gpt2.decode(KINDS.gpt2.encode(whole).ids), whole)
      }),
      { numRuns: 100 },
    )
  })

  test('a stream joins to the text of all ids and never ends inside a character', () => {
    const { ids } = KINDS.gpt2.encode('今天 👨\u200d👩\u200d👧 天气')
    const stream = KINDS.gpt2.decodeStream()
    const parts = ids.map((id) => stream.step(id))
    assert.ok(parts.includes(null))
    for (const part of parts) assert.ok(!part?.includes('\ufffd'))
    assert.equal(parts.join('') + stream.end(), '今天 👨\u200d👩\u200d👧 天气')
  })

  test('offsets count UTF-16 units, or code points as Python does', () => {
    const encoding = KINDS.bert.encode('😀 Dog', null, { addSpecialTokens: false })
    const last = encoding.length - 1
    assert.equal('😀 Dog'.slice(...encoding.offsets[last]), 'Dog'.slice(encoding.offsets[last][0] - 3))
    assert.equal(encoding.codePointOffsets[last][1], 5)
    assert.equal(encoding.offsets[last][1], 6)
  })

  test('added tokens: alone, with spaces, in normalized text', () => {
    const tokenizer = bertLike()
    tokenizer.addTokens([
      addedToken('fox', { singleWord: true, normalized: false }),
      addedToken('<m>', { lstrip: true, normalized: false }),
      addedToken('HELLO', { normalized: true }),
    ])
    const tokens = (text: string): readonly string[] => tokenizer.encode(text, null, { addSpecialTokens: false }).tokens
    assert.ok(tokens('a fox').includes('fox'))
    assert.ok(!tokens('a foxes').includes('fox'))
    assert.ok(tokens('the   <m> dog').includes('   <m>'))
    assert.ok(tokens('say hello').includes('hello'))
    assert.equal(tokenizer.tokenToId('HELLO'), tokenizer.encode('Hello', null, { addSpecialTokens: false }).ids[0])
  })

  test('malformed files are refused with the place of the fault', () => {
    const json = KINDS.bert.toJSON()
    const refused = (change: object, message: RegExp): void => {
      assert.throws(() => Tokenizer.fromJson({ ...json, ...change }), message)
    }
    refused({ normalizer: { type: 'Nothing' } }, /normalizer "Nothing" is not known/)
    refused(
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated', invert: false } },
      /pattern/,
    )
    refused({ model: { type: 'WordPiece', vocab: { a: -1 } } }, /id of "a"/)
    refused({ model: { type: 'BPE', vocab: { a: 0 }, merges: [['a', 'b']] } }, /"b" of a merge/)
    refused({ version: '2.0' }, /version/)
    let nested: object = { type: 'NFC' }
    for (let i = 0; i < 5000; i++) nested = { type: 'Sequence', normalizers: [nested] }
    refused({ normalizer: nested }, /nested deeper/)
  })
})

describe('calls as transformers makes them', () => {
  const tokenizer = new PreTrainedTokenizer(bertLike())
  tokenizer.padToken = '[PAD]'

  test('padding, truncation and their errors', () => {
    const { input_ids: ids, attention_mask: mask } = tokenizer.encodeBatch(['the dog', 'dog'], null, {
      padding: true,
      padToMultipleOf: 8,
    })
    assert.deepEqual(
      ids.map((row) => row.length % 8),
      [0, 0],
    )
    assert.equal(mask?.[1].at(-1), 0)
    const cut = tokenizer.encodeBatch(TEXTS[0], null, {
      truncation: true,
      maxLength: 6,
      returnOverflowingTokens: true,
      stride: 1,
    })
    assert.ok(cut.input_ids.length > 2)
    assert.ok(cut.input_ids.every((row) => row.length <= 6))
    assert.throws(
      () => tokenizer.encodeBatch(TEXTS[0], null, { truncation: 'only_second', maxLength: 4 }),
      /no second sequence/,
    )
    assert.throws(() => tokenizer.encodeBatch('a', null, { truncation: true, maxLength: 1 }), /no room/)
    assert.throws(() => tokenizer.modelInputs(['the dog', 'dog']), /padding/)
    assert.throws(() => tokenizer.encodeBatch(5 as unknown as string), /text/)
  })

  test('columns read after the call are those of the call', () => {
    const [plain, split] = [false, true].map((splitSpecialTokens) =>
      tokenizer.encodeBatch('a [SEP] b', null, { splitSpecialTokens, returnOffsetsMapping: 'utf16' }),
    )
    assert.ok(plain.input_ids[0].length < split.input_ids[0].length)
    assert.equal(split.offset_mapping?.[0].length, split.input_ids[0].length)
  })

  test('a tokenizer that has changed does not invent tokens for older encodings', () => {
    const backend = bertLike()
    const encoding = backend.encode('the foxdog', null, { addSpecialTokens: false })
    backend.addTokens([addedToken('foxdog', { normalized: false })])
    assert.throws(() => encoding.tokens, /has changed/)
  })

  test('inputs of a model are i32 tensors', async () => {
    const inputs = tokenizer.modelInputs(['the dog', 'dog'], null, { padding: true })
    assert.equal(inputs.input_ids.dtype, 'i32')
    assert.equal(inputs.input_ids.shape[0], 2)
    assert.deepEqual(inputs.attention_mask?.shape, inputs.input_ids.shape)
  })
})
