import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Template } from '../../../src/text/chat/jinja/index.js'

interface Case {
  readonly t: string
  readonly ok?: string
  /** Name of the exception. */
  readonly err?: string
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const render = (template: string, variables: Record<string, unknown> = {}): string =>
  new Template(template).render(variables).text

test('renders as jinja2 3.1.6 with the settings of transformers 5.23', () => {
  const { context, cases } = JSON.parse(read('expressions.json')) as { context: Record<string, unknown>; cases: Case[] }
  assert.ok(cases.length > 700)
  for (const { t, ok, err } of cases) {
    if (err === undefined) assert.equal(render(t, context), ok, t)
    else assert.throws(() => render(t, context), { name: err }, t)
  }
})

describe('what templates cannot reach', () => {
  test("JavaScript's objects", () => {
    for (const path of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
      for (const object of ['x', '[]', '{}', '"a"', '1', 'range', 'x.get', 'namespace()'])
        assert.throws(
          () => render(`{{ ${object}.${path}.y }}`, { x: { a: 1 } }),
          /no attribute|unsafe/,
          `${object}.${path}`,
        )
    assert.equal(render('{{ process }}{{ globalThis }}{{ constructor }}'), '')
    assert.equal(render('{{ {"__proto__": 2}["__proto__"] }}'), '2')
    assert.throws(() => new Template('{{ 1|constructor }}'), /No filter named 'constructor'/)
  })

  test('methods that change their object', () => {
    assert.throws(() => render('{{ x.append(1) }}', { x: [] }), { name: 'SecurityError' })
    assert.throws(() => render('{{ x.update({}) }}', { x: {} }), { name: 'SecurityError' })
  })

  test('objects of the caller that are not data', () => {
    assert.equal(render('{{ x }}', { x: new Date(0) }), '<Date>')
    assert.equal(render('{{ x }}', { x: () => 1 }), '<function>')
  })
})

describe('work is bounded', () => {
  const hostile: Record<string, string> = {
    'endless recursion': '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
    'recursive loops': '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}',
    'loops in loops': '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}',
    'doubled text': "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    'doubled lists':
      '{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}',
    'repeated text': "{{ 'a' * 10**12 }}",
    'huge integers': '{{ 2**60000 * 2**60000 }}',
    'wide fields': "{{ 'a'.center(10**12) }}",
    'namespaces in themselves': '{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}',
  }
  for (const [name, template] of Object.entries(hostile))
    test(name, () => assert.throws(() => render(template), { name: 'SecurityError' }))

  for (const [name, template] of Object.entries({
    'deep parentheses': `{{ ${'('.repeat(50_000)} }}`,
    'many operators': `{{ 1${' + 1'.repeat(20_000)} }}`,
    'deep blocks': '{% if 1 %}'.repeat(5000),
    'unfinished comments': '{#'.repeat(50_000),
    'unfinished strings': `{{ "${'a'.repeat(100_000)}`,
    'long integers': `{{ ${'1'.repeat(100_000)} }}`,
  }))
    test(name, () => assert.throws(() => new Template(template), { name: 'TemplateSyntaxError' }))
})

test('errors of syntax name the line', () => {
  assert.throws(() => new Template('a\n{{ x\n}}\n{% nosuch %}'), /unknown tag 'nosuch'.*line 4/)
})
