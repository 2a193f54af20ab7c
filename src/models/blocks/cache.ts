import { Flag } from '../../runtime/index.js'
import { constant, Parameter, record, type Tensor, zeros } from '../../tensor/index.js'

/** What a layer keeps of each token. */
export interface CacheShape {
  readonly heads: number
  readonly keyWidth: number
  readonly valueWidth: number
}

interface Kept {
  readonly key: Parameter
  readonly value: Parameter
}

/**
 * Keys and values of the tokens so far, in state of a fixed size, so that every step of decoding runs the same program and updates in
 * place. Shapes: [batch, heads, capacity, width].
 */
export class KeyValueCache {
  /** Tokens held, i32. */
  readonly length: Parameter
  readonly layers: readonly Kept[]
  /** Those of an encoder's states, which stay as they are. */
  readonly #cross: readonly Kept[]
  readonly #crossKnown = new Flag<boolean>(false)

  /** `sources` are the steps of an encoder's states, where there is one. */
  constructor(
    shapes: readonly CacheShape[],
    readonly batch: number,
    readonly capacity: number,
    sources = 0,
  ) {
    const make = (heads: number, width: number, steps = capacity): Parameter =>
      new Parameter(zeros([batch, heads, steps, width]), { trainable: false })
    this.length = new Parameter(zeros([], { dtype: 'i32' }), { trainable: false })
    this.layers = shapes.map(({ heads, keyWidth, valueWidth }) => ({
      key: make(heads, keyWidth),
      value: make(heads, valueWidth),
    }))
    this.#cross = (sources > 0 ? shapes : []).map(({ heads, keyWidth, valueWidth }) => ({
      key: make(heads, keyWidth, sources),
      value: make(heads, valueWidth, sources),
    }))
  }

  /** Keys and values of the encoder's states: computed the first time, kept from then on. */
  cross(layer: number, compute: () => readonly [Tensor, Tensor]): readonly [Tensor, Tensor] {
    const kept = this.#cross[layer]
    if (!kept) return compute()
    if (this.#crossKnown.get()) return [kept.key.value, kept.value.value]
    const [key, value] = compute()
    kept.key.value = key
    kept.value.value = value
    return [key, value]
  }

  /** Says that all layers have seen the encoder's states. */
  crossIsKnown(): void {
    this.#crossKnown.set(true)
  }

  /** Adds those of new tokens [batch, heads, T, width] and gives all, of the whole capacity. */
  update(layer: number, key: Tensor, value: Tensor): [Tensor, Tensor] {
    const kept = this.layers[layer]
    return [this.write(kept.key, key), this.write(kept.value, value)]
  }

  private write(cell: Parameter, news: Tensor): Tensor {
    const zero = constant(0, 'i32')
    cell.value = record('dynamic_update_slice', [cell.value, news, zero, zero, this.length.value, zero], {})
    return cell.value
  }

  /** Counts tokens after all layers took theirs. */
  advance(tokens: number): void {
    this.length.value = this.length.value.add(tokens)
  }

  /** Rows of the batch in another order, i32 [batch]: beams that go on from others. */
  reorder(rows: Tensor): void {
    for (const { key, value } of this.layers)
      for (const cell of [key, value]) cell.value = cell.value.indexSelect(0, rows)
  }
}
