import type { CompositeAttrs, OpAttrs, ScanAttrs, ShapeDType } from '../attrs.js'
import { avalText, shapeError } from '../errors.js'
import type { Graph } from '../graph.js'
import { sameShape } from '../shape.js'

type Inputs = readonly ShapeDType[]

const sameAval = (a: ShapeDType, b: ShapeDType): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape)

function checkAvals(op: string, inputs: Inputs, what: string, got: Inputs, expected: Inputs): void {
  if (got.length !== expected.length || !got.every((aval, i) => sameAval(aval, expected[i]))) {
    throw shapeError(
      op,
      inputs,
      `${what}: expected (${expected.map(avalText).join(', ')}), got (${got.map(avalText).join(', ')})`,
    )
  }
}

const avals = (values: Inputs): ShapeDType[] => values.map(({ shape, dtype }) => ({ shape, dtype }))

export function whileLoop(op: string, inputs: Inputs, attrs: OpAttrs['while']): ShapeDType[] {
  checkAvals(op, inputs, 'parameters of the condition', attrs.cond.params, inputs)
  checkAvals(op, inputs, 'result of the condition', attrs.cond.results, [{ shape: [], dtype: 'bool' }])
  checkAvals(op, inputs, 'parameters of the body', attrs.body.params, inputs)
  checkAvals(op, inputs, 'results of the body', attrs.body.results, inputs)
  return avals(inputs)
}

export function scan(op: string, inputs: Inputs, attrs: ScanAttrs): ShapeDType[] {
  const { body, num_consts, num_carry, length } = attrs
  const carry = inputs.slice(num_consts, num_consts + num_carry)
  const xs = inputs.slice(num_consts + num_carry)
  for (const x of xs) {
    if (x.shape[0] !== length) throw shapeError(op, inputs, `every scanned operand needs a leading extent of ${length}`)
  }
  const slices = xs.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }))
  checkAvals(op, inputs, 'parameters of the body', body.params, [...inputs.slice(0, num_consts), ...carry, ...slices])
  checkAvals(op, inputs, 'carry that the body returns', body.results.slice(0, num_carry), carry)
  const ys = body.results.slice(num_carry).map(({ shape, dtype }) => ({ shape: [length, ...shape], dtype }))
  return [...avals(carry), ...ys]
}

export function withBody(op: string, inputs: Inputs, attrs: { readonly body: Graph }): ShapeDType[] {
  checkAvals(op, inputs, 'parameters of the body', attrs.body.params, inputs)
  return avals(attrs.body.results)
}

export const composite = (_op: string, inputs: Inputs, attrs: CompositeAttrs): ShapeDType[] =>
  withBody(attrs.name, inputs, attrs)
