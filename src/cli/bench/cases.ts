import type { BenchCases } from './case.js'

export const CASES: BenchCases = {}
