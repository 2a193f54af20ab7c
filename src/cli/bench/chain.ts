import { abs, add, gelu, jit, maximum, mul, narrow, sub, type Tensor } from '../../tensor/index.js'
import { type BenchCases, type Prepared, RING } from './case.js'
import { randn } from './data.js'

type Chain = (a: Tensor, b: Tensor, c: Tensor) => Tensor

const SIZE = 1 << 24
const CHECKED = 1 << 12

/** Eight elementwise operations. */
const chain8: Chain = (a, b, c) => {
  let t = mul(a, b)
  t = add(t, c)
  t = maximum(t, b)
  t = mul(t, c)
  t = sub(t, a)
  t = abs(t)
  t = mul(t, b)
  return add(t, a)
}

const geluChain: Chain = (a, b, c) => mul(gelu(add(mul(a, b), c)), c)

/** Elements of both ends. */
const ends = (x: Tensor): [Tensor, Tensor] => [narrow(x, 0, 0, CHECKED), narrow(x, 0, SIZE - CHECKED, CHECKED)]

/** The operands are three of four buffers, moved on by one at each step. */
function prepare(name: string, chain: Chain): Prepared {
  const buffers = Array.from({ length: RING }, (_, slot) => randn([SIZE], slot))
  const operands = (slot: number): [Tensor, Tensor, Tensor] => [
    buffers[slot],
    buffers[(slot + 1) % RING],
    buffers[(slot + 2) % RING],
  ]
  const step = jit(chain, { name })
  return {
    work: {},
    ring: RING,
    step: (slot) => [step(...operands(slot))],
    check: {
      part: ([result]) => ends(result),
      reference: () => {
        const [a, b, c] = operands(0).map(ends)
        return [chain(a[0], b[0], c[0]), chain(a[1], b[1], c[1])]
      },
      tolerance: 1e-6,
    },
  }
}

/** `chain8_16m_compile` is the peer's name for its compiled form; here every step is compiled. */
export const CHAIN_CASES: BenchCases = {
  chain8_16m: () => prepare('chain8_16m', chain8),
  chain8_16m_compile: () => prepare('chain8_16m_compile', chain8),
  gelu_chain_16m: () => prepare('gelu_chain_16m', geluChain),
}
