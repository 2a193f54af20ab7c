import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { attributeOf } from '../../../src/conformance/ops/bindings/attributes.js'
import { FUNCTIONS } from '../../../src/conformance/ops/bindings/index.js'
import type { Expr } from '../../../src/conformance/python/ast.js'
import { parsePython } from '../../../src/conformance/python/parser.js'
import { tensor } from '../../../src/tensor/index.js'

const MODULES = ['torch', 'F', 'tv']

function dotted(expr: Expr): string | null {
  if (expr.kind === 'name') return expr.name
  const object = expr.kind === 'attribute' ? dotted(expr.object) : null
  return expr.kind === 'attribute' && object !== null ? `${object}.${expr.name}` : null
}

/** Functions and methods that an expression calls. */
function* called(expr: unknown): Generator<string> {
  if (Array.isArray(expr)) for (const item of expr) yield* called(item)
  if (typeof expr !== 'object' || expr === null) return
  const node = expr as Expr
  if (node.kind === 'call') {
    const path = dotted(node.callee)
    if (path !== null && (!path.includes('.') || MODULES.includes(path.split('.')[0]))) yield path
    else if (node.callee.kind === 'attribute') yield `Tensor.${node.callee.name}`
  }
  for (const part of Object.values(expr)) yield* called(part)
}

const isBound = (name: string): boolean => FUNCTIONS.has(name) || FUNCTIONS.has(name.replace(/^Tensor\./, 'torch.'))

test('every call of the groups that must pass has a binding', () => {
  const lines = readFileSync(new URL('../../golden/data/ops/calls.tsv', import.meta.url), 'utf8').split('\n')
  const groups = ['unary', 'binary', 'reduce', 'shape', 'loss', 'norm', 'conv', 'pool']
  const missing = new Set<string>()
  let count = 0
  for (const line of lines) {
    const [group, call] = line.split('\t')
    if (!groups.includes(group)) continue
    count++
    for (const name of called(parsePython(call))) if (!isBound(name)) missing.add(name)
  }
  assert.deepEqual([...missing], [])
  assert.ok(count > 200)
})

test('attributes are no methods', () => {
  assert.deepEqual(attributeOf(tensor([[1, 2]]), 'shape'), [1, 2])
  assert.equal(attributeOf(tensor([1]), 'sum'), undefined)
})
