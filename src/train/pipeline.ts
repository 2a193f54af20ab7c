import type { DataArray, Tensor } from '../tensor/index.js'

/**
 * Keeps a few submitted steps ahead of the one being waited for, so that the executor never idles, and no more, so that memory and the
 * distance to an error stay bounded.
 */
export class Pipeline {
  private readonly pending: Tensor[] = []

  /** `onResult` hears each result in order as it is waited for. */
  constructor(
    private readonly onResult: (data: DataArray) => void | Promise<void> = () => {},
    private readonly depth = 4,
  ) {}

  async push(result: Tensor): Promise<void> {
    this.pending.push(result)
    if (this.pending.length > this.depth) await this.settle()
  }

  async drain(): Promise<void> {
    while (this.pending.length > 0) await this.settle()
  }

  private async settle(): Promise<void> {
    await this.onResult(await (this.pending.shift() as Tensor).data())
  }
}
