import type { Tensor } from '../../tensor/index.js'

/** Work of one step, from which rates are derived. */
export interface Work {
  readonly flops?: number
  /** Bytes of weights that a step reads. */
  readonly bytes?: number
  readonly items?: number
  readonly params?: number
  /** Steps of one timed sample; 1 where absent. Only the last one is waited for, since runs finish in order. */
  readonly inner?: number
}

/** A part of the results of input set 0, computed a second time by the reference interpreter. */
export interface Check {
  /** Picks the part from the results. */
  part(results: readonly Tensor[]): readonly Tensor[]
  /** Computes the same part; called with the interpreter as the backend. */
  reference(): readonly Tensor[]
  /** Largest difference allowed, relative to the largest magnitude of the reference. */
  readonly tolerance: number
}

/** A case ready to run. `ring` sets of inputs are used in turn, so that no result can be reused and inputs leave the cache as they do in use. */
export interface Prepared {
  readonly work: Work
  readonly ring: number
  /** Submits one step on input set `slot`; the results may still be pending. */
  step(slot: number): readonly Tensor[]
  readonly check: Check
}

/** `NAME` of `kaimo bench --case NAME` -> what builds it. Names are those of the peers' benchmarks. */
export type BenchCases = Readonly<Record<string, () => Prepared>>

/** Input sets in a ring. */
export const RING = 4
