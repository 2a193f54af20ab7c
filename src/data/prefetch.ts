import { later } from './schedule.js'
import {
  type Cursor,
  chain,
  END,
  type MaybePromise,
  type OpenContext,
  type Position,
  resume,
  type Source,
} from './source.js'

/** An item with its place: the consumer's position is that of what it took, not of what was read ahead. */
interface Ready<T> {
  readonly item: T | typeof END
  readonly position: Position
  readonly where: string | undefined
}

/** Reads up to `depth` items ahead while the consumer works. */
export function prefetchSource<T>(source: Source<T>, depth: number): Source<T> {
  if (!Number.isSafeInteger(depth) || depth < 1)
    throw new TypeError(`prefetch takes a positive count of items, got ${depth}`)
  const open = (context: OpenContext): Cursor<T> => {
    const { cursor, index } = resume('prefetch', source, context)
    return new Prefetch(cursor, depth, index).cursor()
  }
  return {
    get length() {
      return source.length
    },
    open,
  }
}

class Prefetch<T> {
  readonly #queue: Promise<Ready<T>>[] = []
  #tail: Promise<unknown> = Promise.resolve()
  #stopped = false
  #scheduled = false
  #taken: { position: Position; where: string | undefined }

  constructor(
    private readonly source: Cursor<T>,
    private readonly depth: number,
    private index: number,
  ) {
    this.#taken = { position: source.position(), where: undefined }
  }

  cursor(): Cursor<T> {
    return {
      pull: () => this.#pull(),
      position: () => ({ op: 'prefetch', index: this.index, inner: this.#taken.position }),
      where: () => this.#taken.where,
      close: async () => {
        this.#stopped = true
        await this.#tail.catch(() => undefined) // a cursor is not closed while it is being pulled
        await this.source.close()
      },
    }
  }

  #pull(): MaybePromise<T | typeof END> {
    if (this.#queue.length === 0) this.#read()
    const next = this.#queue.shift()
    this.#refill()
    return (
      next?.then(({ item, position, where }) => {
        this.#taken = { position, where }
        if (item !== END) this.index++
        return item
      }) ?? END
    )
  }

  /** Queues one read behind those under way. */
  #read(): void {
    const ready = this.#tail.then(() =>
      chain<T | typeof END, Ready<T>>(this.#stopped ? END : this.source.pull(), (item) => {
        if (item === END) this.#stopped = true
        return { item, position: this.source.position(), where: this.source.where() }
      }),
    )
    ready.catch(() => {
      this.#stopped = true // the error reaches the consumer when its turn comes
    })
    this.#tail = ready
    this.#queue.push(ready)
  }

  #refill(): void {
    if (this.#scheduled || this.#stopped || this.#queue.length >= this.depth) return
    this.#scheduled = true
    later(() => {
      this.#scheduled = false
      if (this.#stopped || this.#queue.length >= this.depth) return
      this.#read()
      this.#tail.then(
        () => this.#refill(),
        () => undefined,
      )
    })
  }
}
