import {
  allocateArray,
  arrayConstructor,
  type DType,
  dtypeBytes,
  type Shape,
  shapeText,
  sizeOf,
  type TypedArray,
} from '../ir/index.js'

type State = 'live' | 'donated' | 'disposed'

let live = 0
// The scavenger keeps what a FinalizationRegistry watches until the next full collection, so buffers are watched only once somebody asks.
let tracking = false
const finalizer = new FinalizationRegistry<{ bytes: number }>((held) => {
  live -= held.bytes
  held.bytes = 0
})

/**
 * Bytes owned by realised tensors that are neither disposed, donated, nor collected, counted from the first call on: call it once at the
 * start and compare later.
 */
export function liveBytes(): number {
  tracking = true
  return live
}

/** Errors about the life of a buffer: read after donation or disposal. */
export class BufferError extends Error {
  override name = 'BufferError'
}

/**
 * Memory of one realised tensor in row-major order. `storage` belongs to the backend: host backends keep a TypedArray in the dtype's
 * storage form. While the run that writes it is under way, `ready` holds a promise; later runs of the same backend may be submitted
 * with it at once, since a backend executes in order.
 */
export class Buffer {
  ready: Promise<void> | null = null
  readonly byteLength: number
  private state: State = 'live'
  private readonly held: { bytes: number } | null

  constructor(
    readonly dtype: DType,
    readonly shape: Shape,
    private readonly storage: TypedArray,
  ) {
    this.byteLength = sizeOf(shape) * dtypeBytes(dtype)
    this.held = tracking ? { bytes: this.byteLength } : null
    if (!this.held) return
    live += this.byteLength
    finalizer.register(this, this.held, this)
  }

  /**
   * The elements, in the dtype's storage form (f16 and bf16 as bits).
   * @throws BufferError after donation or disposal.
   */
  get array(): TypedArray {
    if (this.state !== 'live') {
      const why =
        this.state === 'donated'
          ? 'was given to a compiled step that updated it in place; read the new value'
          : 'was disposed'
      throw new BufferError(`this ${this.dtype}${shapeText(this.shape)} tensor ${why}`)
    }
    return this.storage
  }

  /** Gives the memory back. A donated buffer's storage lives on under the buffer that took it over. */
  release(state: 'donated' | 'disposed' = 'disposed'): void {
    if (this.state !== 'live') return
    this.state = state
    if (!this.held) return
    live -= this.held.bytes
    this.held.bytes = 0
    finalizer.unregister(this)
  }

  get released(): boolean {
    return this.state !== 'live'
  }
}

export const allocateBuffer = (dtype: DType, shape: Shape): Buffer =>
  new Buffer(dtype, shape, allocateArray(dtype, sizeOf(shape)))

/** Wraps host memory without a copy. `array` must not be written afterwards. */
export function wrapArray(array: TypedArray, dtype: DType, shape: Shape): Buffer {
  if (!(array instanceof arrayConstructor(dtype)))
    throw new TypeError(`${dtype} is stored in ${arrayConstructor(dtype).name}, got ${array.constructor.name}`)
  if (array.length !== sizeOf(shape))
    throw new RangeError(`${array.length} elements do not fill ${shapeText(shape)} (${sizeOf(shape)} elements)`)
  return new Buffer(dtype, shape, array)
}
