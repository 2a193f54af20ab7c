import { Parameter } from './parameter.js'
import { Tensor } from './tensor.js'

/** Nested arrays and plain objects with tensors (or parameters) at the leaves; other leaves are static. */
export type Tree = unknown

/** Structure of a tree without its tensors, as text that is equal for equal structures and static leaves. */
export interface FlatTree<L> {
  readonly leaves: L[]
  readonly structure: string
  /** Builds a tree of this structure. */
  rebuild(leaves: readonly unknown[]): unknown
}

const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (value === null || typeof value !== 'object') return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

type Builder = (leaves: readonly unknown[]) => unknown

/**
 * Flattens a tree. Leaves are the items for which `isLeaf` holds; anything else but arrays and plain objects is static
 * and becomes part of the structure.
 */
export function flattenTree<L>(tree: unknown, isLeaf: (item: unknown) => item is L): FlatTree<L> {
  const leaves: L[] = []
  const visit = (item: unknown): { text: string; build: Builder } => {
    if (isLeaf(item)) {
      const index = leaves.push(item) - 1
      return { text: '*', build: (values) => values[index] }
    }
    if (Array.isArray(item)) {
      const parts = item.map(visit)
      return {
        text: `[${parts.map((part) => part.text).join()}]`,
        build: (values) => parts.map((part) => part.build(values)),
      }
    }
    if (isPlain(item)) {
      const entries = Object.entries(item).map(([key, child]) => [key, visit(child)] as const)
      return {
        text: `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${part.text}`).join()}}`,
        build: (values) => Object.fromEntries(entries.map(([key, part]) => [key, part.build(values)])),
      }
    }
    return { text: staticText(item), build: () => item }
  }
  const { text, build } = visit(tree)
  return { leaves, structure: text, rebuild: build }
}

const staticIds = new WeakMap<object, number>()
let nextStatic = 1

function staticText(item: unknown): string {
  if (typeof item === 'object' && item !== null) return `#${identity(item)}`
  if (typeof item === 'function') return `#${identity(item)}`
  return typeof item === 'string' ? JSON.stringify(item) : Object.is(item, -0) ? '-0' : `${typeof item}:${String(item)}`
}

function identity(item: object): number {
  let id = staticIds.get(item)
  if (id === undefined) {
    id = nextStatic++
    staticIds.set(item, id)
  }
  return id
}

export const isTensor = (item: unknown): item is Tensor => item instanceof Tensor
export const isTensorOrParameter = (item: unknown): item is Tensor | Parameter =>
  item instanceof Tensor || item instanceof Parameter

/** The tree type with every Parameter replaced by Tensor. */
export type TensorsOf<T> = T extends Parameter
  ? Tensor
  : T extends Tensor
    ? Tensor
    : T extends object
      ? { [K in keyof T]: TensorsOf<T[K]> }
      : T
