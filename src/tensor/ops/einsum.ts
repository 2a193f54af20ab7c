import type { TensorLike } from '../core.js'
import { fail, range, typeText } from '../dims.js'
import { promote } from '../promote.js'
import type { Tensor } from '../tensor.js'
import { mul } from './elementwise.js'
import { dotGeneral } from './matmul.js'
import { reduceDims } from './reduce.js'
import { permute, reshape, sliceDims } from './shape.js'

/** A tensor whose dimensions carry labels: letters, or `.0`, `.1`, ... for those of an ellipsis, counted from its end. */
interface Labelled {
  readonly x: Tensor
  readonly labels: readonly string[]
}

interface Equation {
  readonly operands: readonly string[]
  readonly output: string | null
}

function parse(equation: string, count: number): Equation {
  const text = equation.replace(/\s+/g, '')
  const [left, output, extra] = text.split('->')
  const operands = left.split(',')
  if (extra !== undefined) throw fail('einsum', `'${equation}' has more than one '->'`)
  if (operands.length !== count)
    throw fail('einsum', `'${equation}' names ${operands.length} operands, got ${count} tensors`)
  for (const part of [...operands, output ?? '']) {
    if (!/^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/.test(part))
      throw fail('einsum', `'${part}' in '${equation}' is not a list of letters with at most one '...'`)
  }
  return { operands, output: output ?? null }
}

/** Letters and ellipsis dimensions of one term; the ellipsis stands for `hidden` dimensions. */
function labelsOf(term: string, hidden: number): string[] {
  const [before, after] = term.split('...')
  if (after === undefined) return [...before]
  return [...before, ...range(hidden).map((i) => `.${hidden - 1 - i}`), ...after]
}

function label(equation: string, term: string, x: Tensor): Labelled {
  const letters = term.replace('...', '').length
  const hidden = x.ndim - letters
  if (hidden < 0 || (hidden > 0 && !term.includes('...')))
    throw fail('einsum', `'${term}' in '${equation}' names ${letters} dimensions, ${typeText(x)} has ${x.ndim}`)
  return { x, labels: labelsOf(term, hidden) }
}

/** The diagonal of two dimensions of equal extent, as the last dimension. */
export function diagonalOf(x: Tensor, a: number, b: number): Tensor {
  const n = x.shape[a]
  const rest = range(x.ndim).filter((dim) => dim !== a && dim !== b)
  const lead = rest.map((dim) => x.shape[dim])
  // Of n * n elements in a row every (n + 1)-th lies on the diagonal.
  const rows = reshape(permute(x, [...rest, a, b]), [...lead, n * n])
  const zero = lead.map(() => 0)
  return sliceDims(rows, [...zero, 0], [...lead, n * n], [...lead.map(() => 1), n + 1])
}

function withoutRepeats({ x, labels }: Labelled): Labelled {
  const second = labels.findIndex((name, i) => labels.indexOf(name) < i)
  if (second < 0) return { x, labels }
  const first = labels.indexOf(labels[second])
  if (x.shape[first] !== x.shape[second])
    throw fail(
      'einsum',
      `label '${labels[second]}' repeats with extents ${x.shape[first]} and ${x.shape[second]} in ${typeText(x)}`,
    )
  const rest = labels.filter((_, i) => i !== first && i !== second)
  return withoutRepeats({ x: diagonalOf(x, first, second), labels: [...rest, labels[first]] })
}

/** Extents of labels; 1 broadcasts. */
function extentsOf(operands: readonly Labelled[]): Map<string, number> {
  const extents = new Map<string, number>()
  for (const { x, labels } of operands) {
    labels.forEach((name, i) => {
      const known = extents.get(name) ?? 1
      const own = x.shape[i]
      if (known !== 1 && own !== 1 && own !== known)
        throw fail('einsum', `label '${name}' has extents ${known} and ${own}`)
      extents.set(name, known === 1 ? own : known)
    })
  }
  return extents
}

/** Drops dimensions of extent 1 whose label is longer elsewhere: they broadcast as if they were not there. */
function dropBroadcast({ x, labels }: Labelled, extents: ReadonlyMap<string, number>): Labelled {
  const keep = labels.map((name, i) => x.shape[i] === extents.get(name))
  return {
    x: reshape(
      x,
      x.shape.filter((_, i) => keep[i]),
    ),
    labels: labels.filter((_, i) => keep[i]),
  }
}

function sumOut({ x, labels }: Labelled, keep: ReadonlySet<string>): Labelled {
  const dims = range(labels.length).filter((i) => !keep.has(labels[i]))
  return { x: reduceDims('sum', x, dims), labels: labels.filter((name) => keep.has(name)) }
}

/** Product of two operands; labels that nothing later needs are summed. */
function multiply(a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const left = sumOut(a, new Set([...needed, ...b.labels]))
  const right = sumOut(b, new Set([...needed, ...a.labels]))
  const shared = left.labels.filter((name) => right.labels.includes(name))
  const batch = shared.filter((name) => needed.has(name))
  const contracted = shared.filter((name) => !needed.has(name))
  const free = (side: Labelled): string[] => side.labels.filter((name) => !shared.includes(name))
  const labels = [...batch, ...free(left), ...free(right)]
  const places = (side: Labelled, names: readonly string[]): number[] => names.map((name) => side.labels.indexOf(name))
  if (contracted.length > 0) {
    const x = dotGeneral(left.x, right.x, {
      lhs_batch: places(left, batch),
      rhs_batch: places(right, batch),
      lhs_contract: places(left, contracted),
      rhs_contract: places(right, contracted),
    })
    return { x, labels }
  }
  const spread = (side: Labelled): Tensor => {
    const own = labels.filter((name) => side.labels.includes(name))
    const ordered = permute(side.x, places(side, own))
    return reshape(
      ordered,
      labels.map((name) => (own.includes(name) ? ordered.shape[own.indexOf(name)] : 1)),
    )
  }
  return { x: mul(spread(left), spread(right)), labels }
}

/** Labels of an output that is not written out: the ellipsis, then letters that occur once, in alphabetical order. */
function implicitOutput(operands: readonly Labelled[]): string[] {
  const counts = new Map<string, number>()
  for (const { labels } of operands) for (const name of labels) counts.set(name, (counts.get(name) ?? 0) + 1)
  const names = [...counts.keys()]
  const hidden = names.filter((name) => name.startsWith('.')).sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)))
  return [...hidden, ...names.filter((name) => !name.startsWith('.') && counts.get(name) === 1).sort()]
}

function outputLabels(equation: string, output: string | null, operands: readonly Labelled[]): string[] {
  if (output === null) return implicitOutput(operands)
  const hidden = Math.max(0, ...operands.map(({ labels }) => labels.filter((name) => name.startsWith('.')).length))
  const labels = labelsOf(output, hidden)
  if (new Set(labels).size !== labels.length) throw fail('einsum', `the output of '${equation}' repeats a label`)
  const unknown = labels.find((name) => !operands.some((operand) => operand.labels.includes(name)))
  if (unknown) throw fail('einsum', `label '${unknown}' of the output does not occur in the operands of '${equation}'`)
  return labels
}

/**
 * Sums of products by Einstein's convention: 'bik,bkj->bij', 'ii' (trace), 'ij->ji', '...d,...d->...'. Labels missing from the output are
 * summed; without '->' the output has the labels that occur once, in alphabetical order. Operands are multiplied from left to right.
 */
export function einsum(equation: string, ...operands: TensorLike[]): Tensor {
  const { operands: terms, output } = parse(equation, operands.length)
  const given = promote(operands).map((x, i) => label(equation, terms[i], x))
  const names = outputLabels(equation, output, given)
  const plain = given.map(withoutRepeats)
  const extents = extentsOf(plain)
  const ready = plain.map((operand) => dropBroadcast(operand, extents))
  const product = ready.slice(1).reduce((left, right, i) => {
    const later = ready.slice(i + 2).flatMap(({ labels }) => labels)
    return multiply(left, right, new Set([...names, ...later]))
  }, ready[0])
  const summed = sumOut(product, new Set(names))
  return permute(
    summed.x,
    names.map((name) => summed.labels.indexOf(name)),
  )
}
