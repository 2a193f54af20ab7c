import type { BenchCases } from './case.js'
import { CHAIN_CASES } from './chain.js'
import { CONV_CASES } from './conv.js'
import { MATMUL_CASES } from './matmul.js'
import { MLP_CASES } from './mlp.js'
import { OP_CASES } from './ops.js'
import { RECURRENT_CASES } from './recurrent.js'
import { RESNET_CASES } from './resnet.js'
import { TRANSFORMER_CASES } from './transformers.js'

/** Every case of `kaimo bench`, by name. */
export const CASES: BenchCases = {
  ...MATMUL_CASES,
  ...MLP_CASES,
  ...OP_CASES,
  ...CHAIN_CASES,
  ...CONV_CASES,
  ...RECURRENT_CASES,
  ...RESNET_CASES,
  ...TRANSFORMER_CASES,
}
