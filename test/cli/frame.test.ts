import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { splitCommand } from '../../src/cli/main.js'
import { errorLine, kaimo } from './run.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

describe('kaimo', () => {
  test('--version prints the version of the package', () => {
    assert.deepEqual(kaimo('--version'), { code: 0, stdout: `${version}\n`, stderr: '' })
  })

  test('--help names every command', () => {
    const { code, stdout } = kaimo('--help')
    assert.equal(code, 0)
    for (const name of ['inspect', 'doctor', 'bench', 'conformance'])
      assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'))
  })

  test('bad usage is one line and a non-zero exit code', () => {
    const cases: [string[], RegExp][] = [
      [['nonsense'], /unknown command 'nonsense'.*conformance/],
      [['inspect'], /missing required argument 'path'/],
      [['inspect', 'x', '--nonsense'], /unknown option '--nonsense'/],
      [['--nonsense'], /expected a command/],
      [['bench', '--threads', 'many'], /--threads must be a whole number of at least 1, got 'many'/],
    ]
    for (const [args, expected] of cases) {
      const outcome = kaimo(...args)
      assert.equal(outcome.code, 2, args.join(' '))
      assert.equal(outcome.stdout, '')
      assert.match(errorLine(outcome), expected)
    }
  })

  test('a failure shows its stack only when asked', () => {
    const outcome = kaimo('conformance', '/no/such/folder')
    assert.equal(outcome.code, 1)
    assert.match(errorLine(outcome), /^kaimo: there is no folder \/no\/such\/folder$/)
  })
})

describe('splitCommand', () => {
  test('global options may come before the command', () => {
    assert.deepEqual(splitCommand(['--json', '--threads', '2', '--backend=cpu', 'bench', '--list']), {
      name: 'bench',
      rest: ['--json', '--threads', '2', '--backend=cpu', '--list'],
    })
  })

  test('without a command there is no name', () => {
    assert.equal(splitCommand(['--help']).name, null)
    assert.equal(splitCommand([]).name, null)
    assert.equal(splitCommand(['--threads', '2']).name, null)
  })
})
