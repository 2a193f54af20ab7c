/** Substrings that occur more than once, by suffix array and longest common prefixes. */

/** Start positions of all suffixes in order (prefix doubling: Manber and Myers 1993). */
function suffixArray(symbols: Int32Array): Int32Array {
  const n = symbols.length
  let rank = Int32Array.from(symbols)
  const order = Int32Array.from({ length: n }, (_, i) => i)
  let next = new Int32Array(n)
  for (let width = 0; ; width = width === 0 ? 1 : width * 2) {
    const second = (i: number): number => (width > 0 && i + width < n ? rank[i + width] : -1)
    const byRank = rank
    order.sort((a, b) => byRank[a] - byRank[b] || second(a) - second(b))
    next[order[0]] = 0
    for (let i = 1; i < n; i++) {
      const [a, b] = [order[i - 1], order[i]]
      next[b] = next[a] + (rank[a] !== rank[b] || second(a) !== second(b) ? 1 : 0)
    }
    const swap = rank
    rank = next
    next = swap
    if (n === 0 || rank[order[n - 1]] === n - 1) return order
  }
}

/** Longest common prefix of each suffix with the one before it in order (Kasai et al. 2001). */
function commonPrefixes(symbols: Int32Array, order: Int32Array): Int32Array {
  const n = symbols.length
  const place = new Int32Array(n)
  for (let i = 0; i < n; i++) place[order[i]] = i
  const lengths = new Int32Array(n)
  let length = 0
  for (let i = 0; i < n; i++) {
    if (place[i] === 0) {
      length = 0
      continue
    }
    const j = order[place[i] - 1]
    while (i + length < n && j + length < n && symbols[i + length] === symbols[j + length]) length++
    lengths[place[i]] = length
    if (length > 0) length--
  }
  return lengths
}

export interface RepeatedSubstring {
  readonly start: number
  readonly length: number
  readonly count: number
}

/** Every substring that cannot grow without becoming rarer, with how often it occurs: the inner nodes of the suffix tree. */
export function repeatedSubstrings(symbols: Int32Array): RepeatedSubstring[] {
  const n = symbols.length
  if (n === 0) return []
  const order = suffixArray(symbols)
  const lengths = commonPrefixes(symbols, order)
  const found: RepeatedSubstring[] = []
  const stack: { length: number; left: number }[] = []
  for (let i = 1; i <= n; i++) {
    const length = i < n ? lengths[i] : 0
    let left = i - 1
    while (stack.length > 0 && stack[stack.length - 1].length > length) {
      const top = stack.pop()!
      found.push({ start: order[top.left], length: top.length, count: i - top.left })
      left = top.left
    }
    if (length > 0 && (stack.length === 0 || stack[stack.length - 1].length < length)) stack.push({ length, left })
  }
  return found
}
