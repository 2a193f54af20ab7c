import { Module } from '../../nn/index.js'
import { add, matmul, Parameter, random, type Tensor, zeros } from '../../tensor/index.js'
import type { Initialises } from '../pretrained/model.js'

/** A linear map stored the other way round, as GPT-2 does: weight [in, out], bias [out]. */
export class Conv1D extends Module implements Initialises {
  readonly weight: Parameter
  readonly bias: Parameter

  constructor(from: number, to: number) {
    super()
    this.weight = new Parameter(zeros([from, to]))
    this.bias = new Parameter(zeros([to]))
  }

  initParameters(std: number, wants: (parameter: Parameter) => boolean): void {
    if (wants(this.weight)) this.weight.cell.settle(random.normal(this.weight.shape, { std }).value)
    if (wants(this.bias)) this.bias.cell.settle(zeros(this.bias.shape).value)
  }

  forward(x: Tensor): Tensor {
    return add(matmul(x, this.weight), this.bias)
  }
}
