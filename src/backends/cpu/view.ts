import { type DType, dtypeBytes, type OpAttrs, type Shape, sizeOf, stridesOf } from '../../ir/index.js'

/** What a storage is: a place in the arena, the constants, a caller's buffer, or a window that moves over another storage in a loop. */
export type StorageKind = 'arena' | 'constant' | 'input' | 'output' | 'moving'

/** A window over `base` at byte `offset + counter * step`. */
export interface Motion {
  readonly base: Storage
  readonly offset: number
  readonly counter: number
  readonly step: number
}

/** A piece of memory that instructions read and write. Storages that share memory are joined: see {@link Storage.root}. */
export class Storage {
  private joined: Storage | null = null
  /** Instructions between which it is in use; -1 while it is not used at all. */
  first = -1
  last = -1

  constructor(
    readonly kind: StorageKind,
    readonly bytes: number,
    /** Position among inputs, outputs or moving windows. */
    readonly index = -1,
    readonly motion: Motion | null = null,
  ) {}

  get root(): Storage {
    return this.joined ? this.joined.root : this
  }

  /** Gives up its own place for that of `other`, for both lives. */
  join(other: Storage): void {
    const own = this.root
    const target = other.root
    if (own === target) return
    own.joined = target
    if (own.first >= 0) target.first = target.first < 0 ? own.first : Math.min(target.first, own.first)
    target.last = Math.max(target.last, own.last)
  }

  touch(instruction: number): void {
    const root = this.root
    if (root.first < 0) root.first = instruction
    root.first = Math.min(root.first, instruction)
    root.last = Math.max(root.last, instruction)
    if (root.motion) root.motion.base.touch(instruction)
  }
}

/** A strided window on a storage; offset and strides count elements. */
export interface View {
  readonly storage: Storage
  readonly dtype: DType
  readonly shape: Shape
  readonly strides: readonly number[]
  readonly offset: number
}

export const denseView = (storage: Storage, dtype: DType, shape: Shape): View => ({
  storage,
  dtype,
  shape,
  strides: stridesOf(shape),
  offset: 0,
})

/** One element at `offset`, read everywhere. */
export const splatView = (storage: Storage, dtype: DType, shape: Shape, offset: number): View => ({
  storage,
  dtype,
  shape,
  strides: shape.map(() => 0),
  offset,
})

export function isDense(view: View): boolean {
  let stride = 1
  for (let d = view.shape.length - 1; d >= 0; d--) {
    if (view.shape[d] === 0) return true
    if (view.shape[d] !== 1 && view.strides[d] !== stride) return false
    stride *= view.shape[d]
  }
  return true
}

/** True when the view is its whole storage in row-major order. */
export const coversStorage = (view: View): boolean =>
  view.offset === 0 && isDense(view) && sizeOf(view.shape) * dtypeBytes(view.dtype) === view.storage.bytes

export const sameView = (a: View, b: View): boolean =>
  a.storage.root === b.storage.root &&
  a.offset === b.offset &&
  a.shape.length === b.shape.length &&
  a.shape.every((extent, d) => extent === b.shape[d] && (extent === 1 || a.strides[d] === b.strides[d]))

export const transposeView = (view: View, permutation: readonly number[]): View => ({
  ...view,
  shape: permutation.map((dim) => view.shape[dim]),
  strides: permutation.map((dim) => view.strides[dim]),
})

export function broadcastView(view: View, { shape, dims }: OpAttrs['broadcast_in_dim']): View {
  const strides = shape.map(() => 0)
  dims.forEach((dim, i) => {
    strides[dim] = view.shape[i] === 1 ? 0 : view.strides[i]
  })
  return { ...view, shape, strides }
}

export function sliceView(view: View, { start, limit, strides }: OpAttrs['slice']): View {
  const shape = view.shape.map((_, d) => Math.ceil((limit[d] - start[d]) / strides[d]))
  // An empty slice may start one past the end: it stays where it is.
  const empty = shape.includes(0)
  const offset = view.offset + (empty ? 0 : start.reduce((sum, at, d) => sum + at * view.strides[d], 0))
  return { ...view, shape, offset, strides: view.strides.map((stride, d) => stride * strides[d]) }
}

export function reverseView(view: View, dimensions: readonly number[]): View {
  let offset = view.offset
  const strides = [...view.strides]
  for (const d of dimensions) {
    if (view.shape[d] > 0) offset += (view.shape[d] - 1) * view.strides[d]
    strides[d] = -view.strides[d]
  }
  return { ...view, offset, strides }
}

/** The same elements in row-major order under another shape, where strides can say that; else null. */
export function reshapeView(view: View, shape: Shape): View | null {
  if (isDense(view)) return { ...view, shape, strides: stridesOf(shape) }
  // Runs of dims that one stride describes, outermost first.
  const runs: { extent: number; stride: number }[] = []
  view.shape.forEach((extent, d) => {
    if (extent === 1) return
    const top = runs[runs.length - 1]
    if (top && top.stride === view.strides[d] * extent) {
      top.extent *= extent
      top.stride = view.strides[d]
    } else runs.push({ extent, stride: view.strides[d] })
  })
  const strides = new Array<number>(shape.length).fill(0)
  let run = runs.length - 1
  let taken = 1
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] === 1) continue
    if (run < 0 || runs[run].extent % (taken * shape[d]) !== 0) return null
    strides[d] = runs[run].stride * taken
    taken *= shape[d]
    if (taken === runs[run].extent) {
      run--
      taken = 1
    }
  }
  return run < 0 && taken === 1 ? { ...view, shape, strides } : null
}
