import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parsePython } from '../../../src/conformance/python/parser.js'

const calls = readFileSync(new URL('../../golden/data/ops/calls.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t')[1])

test('every call of the references is in the subset', () => {
  assert.equal(calls.length, 422)
  for (const call of calls) assert.doesNotThrow(() => parsePython(call), call)
})

test('operators bind as in Python', () => {
  assert.deepEqual(parsePython('-x ** 2'), parsePython('-(x ** 2)'))
  assert.deepEqual(parsePython('2 ** -x'), parsePython('2 ** (-x)'))
  assert.deepEqual(parsePython('2 ** 3 ** 2'), parsePython('2 ** (3 ** 2)'))
  assert.deepEqual(parsePython('a - b - c'), parsePython('(a - b) - c'))
  assert.deepEqual(parsePython('a + b * c @ d'), parsePython('a + ((b * c) @ d)'))
  assert.deepEqual(parsePython('a | b ^ c & d << 1 + 2'), parsePython('a | (b ^ (c & (d << (1 + 2))))'))
  assert.deepEqual(parsePython('a + b > c'), parsePython('(a + b) > c'))
  assert.deepEqual(parsePython('not a and b or c'), parsePython('((not a) and b) or c'))
})

test('numbers, strings and constants', () => {
  const value = (source: string): unknown => (parsePython(source) as { value?: unknown }).value
  assert.equal(value('1e-4'), 1e-4)
  assert.equal(value('.2'), 0.2)
  assert.equal(value('104.'), 104)
  assert.equal(value('1_000'), 1000)
  assert.equal(value("'it\\'s'"), "it's")
  assert.equal(value('"...d,...d->..."'), '...d,...d->...')
  assert.equal(value('None'), null)
  assert.equal(value('True'), true)
})

test('subscripts tell a tuple of slices from a list', () => {
  assert.deepEqual(parsePython('x[1:, ::2, None, ...]'), {
    kind: 'subscript',
    object: { kind: 'name', name: 'x' },
    index: {
      kind: 'tuple',
      items: [
        { kind: 'slice', lower: { kind: 'number', value: 1 }, upper: null, step: null },
        { kind: 'slice', lower: null, upper: null, step: { kind: 'number', value: 2 } },
        { kind: 'constant', value: null },
        { kind: 'ellipsis' },
      ],
    },
  })
  const list = parsePython('x[[2, 0]]')
  assert.equal(list.kind === 'subscript' && list.index.kind, 'list')
})

test('a comma makes a tuple, also with one item', () => {
  assert.equal(parsePython('(1,)').kind, 'tuple')
  assert.equal(parsePython('()').kind, 'tuple')
  assert.equal(parsePython('(1)').kind, 'number')
})

test('what is outside of the subset is refused with its place', () => {
  for (const source of ['x +', 'f(x', 'x[', 'lambda x: x', '1 2', 'x = 1', '$', "'open", 'f(*)', '{1: }', 'x[]']) {
    assert.throws(() => parsePython(source), { name: 'PythonSyntaxError' }, source)
  }
  assert.throws(() => parsePython('f(x, $)'), /column 6/)
  assert.throws(() => parsePython(`${'('.repeat(5000)}x`), /nests deeper than/)
  assert.throws(() => parsePython(`${'-'.repeat(5000)}x`), /nests deeper than/)
})
