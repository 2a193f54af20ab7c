import type { Tensor } from '../tensor/index.js'

/**
 * Keeps a few submitted steps ahead of the one being waited for, so that the executor never idles, and no more, so that memory and the
 * distance to an error stay bounded.
 */
export class Pipeline {
  private readonly pending: Tensor[] = []

  constructor(private readonly depth = 4) {}

  async push(result: Tensor): Promise<void> {
    this.pending.push(result)
    if (this.pending.length > this.depth) await (this.pending.shift() as Tensor).data()
  }

  async drain(): Promise<void> {
    while (this.pending.length > 0) await (this.pending.shift() as Tensor).data()
  }
}
