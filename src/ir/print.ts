import type { Graph } from './graph.js'
import { Graph as GraphClass, topologicalOrder } from './graph.js'
import type { Node, Value } from './node.js'

const LONG = 8

function attrText(value: unknown, indent: string): string {
  if (value instanceof GraphClass) return printGraph(value, `${indent}  `)
  if (ArrayBuffer.isView(value)) {
    const list = Array.from(value as unknown as ArrayLike<number | bigint>)
    const shown = list.slice(0, LONG).join(', ')
    return list.length > LONG ? `{${shown}, ... ${list.length} in all}` : `{${shown}}`
  }
  if (Array.isArray(value)) return `[${value.map((item) => attrText(item, indent)).join(', ')}]`
  if (value !== null && typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${key}: ${attrText(item, indent)}`)
      .join(', ')}}`
  }
  return String(value)
}

function attrsText(node: Node, indent: string): string {
  const hidden = new Set(
    node.op === 'parameter' || node.op === 'constant' || node.op === 'iota' ? ['shape', 'dtype'] : [],
  )
  const shown = Object.entries(node.attrs).filter(([key]) => !hidden.has(key))
  return shown.map(([key, value]) => ` ${key}=${attrText(value, indent)}`).join('')
}

/**
 * A graph as text, one node a line: `%3 = add(%1, %2) : f32[2, 3]`. Numbering is canonical, so equal graphs print equally.
 */
export function printGraph(graph: Graph, indent = ''): string {
  const names = new Map<Value, string>()
  let next = 0
  for (const param of graph.params) names.set(param, `%${next++}`)
  const type = (value: Value): string => `${value.dtype}[${value.shape.join(', ')}]`
  const lines: string[] = []
  for (const node of topologicalOrder(graph.results)) {
    if (node.outputs.every((output) => names.has(output))) continue
    for (const output of node.outputs) names.set(output, `%${next++}`)
    const left = node.outputs.map((output) => names.get(output)).join(', ')
    const inputs = node.inputs.map((input) => names.get(input) ?? '?').join(', ')
    lines.push(
      `${indent}  ${left} = ${node.op}(${inputs})${attrsText(node, indent)} : ${node.outputs.map(type).join(', ')}`,
    )
  }
  const params = graph.params.map((param) => `${names.get(param)}: ${type(param)}`).join(', ')
  const results = graph.results.map((result) => names.get(result)).join(', ')
  return [`(${params}) {`, ...lines, `${indent}  return ${results}`, `${indent}}`].join('\n')
}
