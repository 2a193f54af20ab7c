/**
 * Selective state spaces (Dao and Gu 2024, "Transformers are SSMs"), in chunks: products of matrices within a chunk, a short recurrence
 * between chunks. Shapes: B batch, T steps, C chunks, L steps of a chunk, G heads, P features of a head, N states.
 */
import {
  add,
  cat,
  cumsum,
  einsum,
  exp,
  iota,
  le,
  lt,
  mul,
  pad,
  permute,
  reshape,
  type Tensor,
  where,
  zeros,
} from '../../tensor/index.js'

export interface ScanInputs {
  /** [B, T, G, P] */
  readonly x: Tensor
  /** Lengths of the steps, positive [B, T, G]. */
  readonly steps: Tensor
  /** Decay rates, negative [G]. */
  readonly rates: Tensor
  /** What enters the state, and what is read off it: [B, T, G, N]. */
  readonly enter: Tensor
  readonly read: Tensor
  readonly chunk: number
}

/** Sums of x [..., L] between places: [..., to, from], -inf where `from` comes after `to`. Summed anew from each start, for accuracy. */
function spans(x: Tensor): Tensor {
  const length = x.shape[x.ndim - 1]
  const [to, from] = [iota([length, length], 0), iota([length, length], 1)]
  const wide = x.unsqueeze(-1).expand(...x.shape, length)
  return where(le(from, to), cumsum(where(lt(from, to), wide, 0), -2), Number.NEGATIVE_INFINITY)
}

/** [B, T, ...] padded with zeros to whole chunks: [B, C, L, ...]. */
function chunked(x: Tensor, chunk: number): Tensor {
  const [batch, steps, ...rest] = x.shape
  const more = (chunk - (steps % chunk)) % chunk
  const padded = more > 0 ? pad(x, [...rest.flatMap(() => [0, 0]), 0, more]) : x
  return reshape(padded, [batch, (steps + more) / chunk, chunk, ...rest])
}

/** The outputs [B, T, G, P] of the recurrence s_t = exp(rate * step_t) s_(t-1) + step_t x_t enter_t, y_t = s_t read_t. */
export function chunkedScan({ x, steps, rates, enter, read, chunk }: ScanInputs): Tensor {
  const [batch, total, heads, width] = x.shape
  const moved = chunked(mul(x, steps.unsqueeze(-1)), chunk)
  const decays = permute(chunked(mul(rates, steps), chunk), [0, 3, 1, 2])
  const [ins, outs] = [chunked(enter, chunk), chunked(read, chunk)]
  const sums = cumsum(decays, -1)
  const last = sums.narrow(-1, chunk - 1, 1)

  const within = mul(einsum('bclhn,bcshn->bhcls', outs, ins), exp(spans(decays)))
  const near = einsum('bhcls,bcshp->bclhp', within, moved)

  const leaving = permute(exp(last.sub(sums)), [0, 2, 3, 1]).unsqueeze(-1)
  const gained = einsum('bclhn,bclhp->bchpn', mul(ins, leaving), moved)
  // State before each chunk: nothing before the first.
  const start = zeros([batch, 1, ...gained.shape.slice(2)], { dtype: gained.dtype })
  const before = cat([start, gained.narrow(1, 0, gained.shape[1] - 1)], 1)
  const between = exp(spans(pad(last.squeeze(-1).narrow(-1, 0, gained.shape[1] - 1), [1, 0])))
  const states = einsum('bhcz,bzhpn->bchpn', between, before)
  const far = mul(einsum('bclhn,bchpn->bclhp', outs, states), permute(exp(sums), [0, 2, 3, 1]).unsqueeze(-1))

  return reshape(add(near, far), [batch, -1, heads, width]).narrow(1, 0, total)
}
