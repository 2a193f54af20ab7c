import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findAll, translateRegex } from '../../../../src/text/tokenizers/regex.js'

const matches = (pattern: string, text: string): string[] =>
  findAll(translateRegex(pattern), text).map(([start, end]) => text.slice(start, end))

describe('patterns of tokenizer files', () => {
  // Results of Oniguruma, which the Rust tokenizers use.
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    [String.raw`\s+`, 'a\u0085\ufeffb\u00a0', ['\u0085', '\u00a0']],
    ["(?i:'s|'ll)", "it'S we'LL 'ſ", ["'S", "'LL", "'ſ"]],
    [String.raw`[^\s\p{L}]++`, '12,a 3', ['12,', '3']],
    ['(?>a+|ab)c?', 'aab aac', ['aa', 'aac']],
    [String.raw`[\p{L}&&[^a-z]]+`, 'abCDeÉ', ['CD', 'É']],
    ['^.|.$', 'ab\ncd', ['a', 'b', 'c', 'd']],
    [String.raw`(a|e)\1`, 'aabee', ['aa', 'ee']],
    [String.raw`\p{^L}+`, 'ab12cd', ['12']],
    ['[[:punct:]]+', 'a+b,c', ['+', ',']],
    [String.raw`\Aab|c\z`, 'abcabc', ['ab', 'c']],
    ['a*', 'baa', ['', 'aa']],
    [String.raw`\h{2}\x{61}`, 'ffa', ['ffa']],
    ['(?x) [a-z]+ # letters', 'ab c', ['ab', 'c']],
    [String.raw`\p{Han}{2}`, '今天气x', ['今天']],
    [String.raw`\w+`, 'a½ b²', ['a½', 'b²']],
    [String.raw`[\w]+`, 'a½ b²', ['a', 'b']],
    [String.raw`\N+|\O`, 'ab\n', ['ab', '\n']],
    [String.raw`\X`, 'e\u0301\r\n👩🏿‍🚀🇺🇸🇬가', ['e\u0301', '\r\n', '👩🏿‍🚀', '🇺🇸', '🇬', '가']],
    [String.raw`\Qa.\E`, 'QabE', ['QabE']],
    ['$', '👍🏽', ['']],
  ]
  for (const [pattern, text, expected] of cases)
    test(pattern, () => {
      assert.deepEqual(matches(pattern, text), expected)
    })

  for (const pattern of [
    '(',
    'a)',
    '[a',
    '\\p{Nothing}',
    '*a',
    '(?<n',
    '\\G',
    '(?(1)a)',
    'b-[z-a]',
    `${'('.repeat(200)}a`,
  ])
    test(`refuses ${pattern.slice(0, 12)}`, () => {
      assert.throws(() => translateRegex(pattern), { name: 'FormatError' })
    })
})
