import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ChatMessage, renderChat } from '../../../src/text/chat/index.js'

const CHATML =
  "{% for m in messages %}{{ '<|' + m.role + '|>' }}{% generation %}{{ m.content }}{% endgeneration %}{{ eos_token }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"

const chat: ChatMessage[] = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: '今天😀' },
]

test('variables, prompt, and spans in code points', () => {
  const { text, assistantSpans } = renderChat(CHATML, chat, {
    addGenerationPrompt: true,
    variables: { eos_token: '</s>' },
  })
  assert.equal(text, '<|user|>Hi</s>\n<|assistant|>今天😀</s>\n<|assistant|>')
  assert.deepEqual(assistantSpans, [
    [8, 10],
    [28, 31],
  ])
})

test('tools and documents are null where not given', () => {
  assert.equal(renderChat('{{ tools is none }}{{ documents }}', []).text, 'TrueNone')
  assert.equal(renderChat('{{ tools|tojson }}', [], { tools: [{ a: 'é<' }] }).text, '[{"a": "é<"}]')
})

test('the time is the local one, or the given', () => {
  const now = (): Date => new Date(2026, 2, 7, 14, 5, 9)
  assert.equal(renderChat("{{ strftime_now('%d %b %Y %H:%M') }}", [], { now }).text, '07 Mar 2026 14:05')
})

describe('the last message stays open', () => {
  const trims = '{% for m in messages %}[{{ m.content|trim }}]\n{% endfor %}'
  const keeps = '{% for m in messages %}[{{ m.content }}]\n{% endfor %}'
  const open = [chat[0], { role: 'assistant', content: 'So ' }]

  test('with its blanks where the template keeps them', () => {
    assert.equal(renderChat(keeps, open, { continueFinalMessage: true }).text, '[Hi]\n[So ')
    assert.equal(renderChat(trims, open, { continueFinalMessage: true }).text, '[Hi]\n[So')
  })

  test('not where it does not appear, or goes with a prompt for the next', () => {
    assert.throws(() => renderChat('content', open, { continueFinalMessage: true }), /does not appear/)
    assert.throws(() => renderChat(keeps, [], { continueFinalMessage: true }), /conversation is empty/)
    assert.throws(
      () => renderChat(keeps, open, { continueFinalMessage: true, addGenerationPrompt: true }),
      /exclude one another/,
    )
  })
})

test('reasoning goes by all of its names', () => {
  const template = '{{ messages[0].reasoning_content }}|{{ messages[0].thinking }}'
  assert.equal(renderChat(template, [{ role: 'assistant', content: '', reasoning: 'hm' }]).text, 'hm|hm')
})

test('what a template raises has its name and text', () => {
  assert.throws(() => renderChat("{{ raise_exception('no system role') }}", chat), {
    name: 'TemplateError',
    message: 'no system role',
  })
})
