import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from '../../../src/node.js'
import { pipeline } from '../../../src/tasks.node.js'
import { Folders } from '../../support/tiny-models.js'

const folders = new Folders()
after(() => folders.remove())

describe('text-generation by a published checkpoint', async () => {
  const write = await pipeline('text-generation', await folders.gpt2(AutoModelForCausalLM))

  test('streams what it writes', async () => {
    const pieces: string[] = []
    const found = await write('the cat', { maxLength: 6, onText: (piece) => pieces.push(piece) })
    assert.equal(pieces.join('').trim(), found.text)
    assert.equal(found.finish, 'length')
    assert.equal(found.prompt, 'the cat')
  })

  test('the same seed writes the same, other seeds other texts', async () => {
    const settings = { maxLength: 12, temperature: 2 } as const
    const first = await write('the', { ...settings, seed: 1 })
    const again = await write('the', { ...settings, seed: 1 })
    const other = await write('the', { ...settings, seed: 2 })
    assert.equal(again.text, first.text)
    assert.notEqual(other.text, first.text)
    assert.equal(
      (await write('the', { maxLength: 5, temperature: 0 })).text,
      (await write('the', { maxLength: 5 })).text,
    )
  })

  test('stops where it is told to', async () => {
    const whole = await write('the cat', { maxLength: 8 })
    const words = whole.text.split(' ')
    const stop = words[3]
    const cut = await write('the cat', { maxLength: 8, stop })
    assert.equal(cut.finish, 'stop')
    assert.equal(cut.text, whole.text.slice(0, whole.text.indexOf(stop)))
  })

  test('beams and several texts come from the settings', async () => {
    const settings = { num_beams: 3, num_return_sequences: 2, do_sample: false }
    const found = await write('a dog', { maxLength: 5, settings })
    assert.equal(found.others?.length, 1)
    assert.notEqual(found.others?.[0], found.text)
  })

  test('a prompt must leave room, or be cut at its start', async () => {
    const prompt = 'the cat sat on the mat . '.repeat(3)
    await assert.rejects(
      write(prompt, { maxLength: 5 }),
      /the prompt has 23 tokens and 5 are to be written, .* reads 24/,
    )
    const cut = await write(prompt, { maxLength: 5, truncation: true })
    assert.ok(cut.text.length > 0)
    await assert.rejects(write('a', { maxLength: 3, signal: AbortSignal.abort() }), { name: 'AbortError' })
  })
})

describe('conversations', async () => {
  const folder = await folders.gpt2(AutoModelForCausalLM)
  const chat_template =
    '{% for m in messages %}{{ m.content }}{% if not loop.last %} . {% endif %}{% endfor %}{% if add_generation_prompt %} .{% endif %}'
  await folders.write(folder, 'tokenizer_config.json', JSON.stringify({ chat_template }))
  const write = await pipeline('text-generation', folder)
  const settings = { maxLength: 4, returnTokens: true } as const

  test('are written as the template says, without further special tokens', async () => {
    const found = await write([{ role: 'user', content: 'the cat' }], settings)
    assert.equal(found.prompt, 'the cat .')
    assert.equal(found.tokens?.[0].length, 3 + 4)
  })

  test('that end with the assistant are gone on with', async () => {
    const messages = [
      { role: 'user', content: 'the cat' },
      { role: 'assistant', content: 'sat on' },
    ]
    assert.equal((await write(messages, settings)).prompt, 'the cat . sat on')
  })
})

describe('summarization and translation', async () => {
  const task_specific_params = {
    summarization: { prefix: 'a dog ', max_length: 7 },
    translation_en_to_de: { prefix: 'who ', max_length: 5, num_beams: 2 },
  }
  // So that words come, not special tokens.
  const words = { suppress_tokens: [0, 1, 2, 3, 4], forced_eos_token_id: null, no_repeat_ngram_size: 1 }
  const folder = await folders.bart(AutoModelForSeq2SeqLM, { task_specific_params, ...words })

  test('follow what the checkpoint says of the task', async () => {
    const rewrite = await pipeline('text2text-generation', folder)
    const summarize = await pipeline('summarization', folder)
    const translate = await pipeline('translation', folder)
    const plain = await rewrite('a dog the cat', { settings: { max_length: 7 } })
    assert.equal((await summarize('the cat')).text, plain.text)
    // The prefix counts: 22 words and 2 special tokens are what the model reads.
    const full = 'cat '.repeat(22)
    await rewrite(full)
    await assert.rejects(summarize(full), /has 26 tokens/)
    await summarize(full, { prefix: '' })
    const beams = await rewrite('who the cat', { settings: { max_length: 5, num_beams: 2 } })
    assert.equal((await translate('the cat')).text, beams.text)
    const [one, two] = await summarize(['the cat', 'a mat'])
    assert.deepEqual([one.prompt, two.prompt], ['the cat', 'a mat'])
    assert.equal(one.text, plain.text)
  })

  test('the language to write is forced, unknown ones are named', async () => {
    const translate = await pipeline('translation', folder)
    assert.match((await translate('the cat', { targetLanguage: 'london' })).text, /^london/)
    await assert.rejects(translate('the cat', { targetLanguage: 'xx' }), /knows no language token 'xx'/)
    await assert.rejects(translate('the cat', { sourceLanguage: 'london' }), /does not mark the language of texts/)
  })

  test('longer texts than the model reads are an error, unless they are to be cut', async () => {
    const summarize = await pipeline('summarization', folder)
    const long = 'the cat sat on the mat . '.repeat(4)
    await assert.rejects(summarize(['a', long]), /input 2 has 32 tokens, .* reads 24/)
    assert.ok((await summarize(long, { truncation: true })).text.length > 0)
  })
})
