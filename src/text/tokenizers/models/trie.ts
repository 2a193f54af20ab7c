/** A trie over UTF-16 units in one open-addressed table of transitions. */
export class UnitTrie {
  private keys: Float64Array
  private children: Int32Array
  private mask: number
  private transitions = 0
  private nodes = 1
  /** Value at each node, -1 where no string ends. */
  private values = new Int32Array(1024).fill(-1)

  constructor(expected = 1024) {
    const capacity = 2 ** Math.max(10, Math.ceil(Math.log2(expected * 2)))
    this.keys = new Float64Array(capacity).fill(-1)
    this.children = new Int32Array(capacity)
    this.mask = capacity - 1
  }

  /** The child of a node by a unit, or -1. */
  child(node: number, unit: number): number {
    const key = node * 65536 + unit
    const { keys, mask } = this
    for (let i = slot(node, unit, mask); ; i = (i + 1) & mask) {
      const found = keys[i]
      if (found === key) return this.children[i]
      if (found === -1) return -1
    }
  }

  value(node: number): number {
    return this.values[node]
  }

  insert(text: string, value: number): void {
    let node = 0
    for (let i = 0; i < text.length; i++) node = this.childOrNew(node, text.charCodeAt(i))
    this.values[node] = value
  }

  /** The node that `text` leads to, or -1. */
  walk(text: string, node = 0): number {
    for (let i = 0; i < text.length && node >= 0; i++) node = this.child(node, text.charCodeAt(i))
    return node
  }

  private childOrNew(node: number, unit: number): number {
    const found = this.child(node, unit)
    if (found >= 0) return found
    if (this.transitions * 2 >= this.mask) this.grow()
    if (this.nodes === this.values.length) {
      const values = new Int32Array(this.values.length * 2).fill(-1)
      values.set(this.values)
      this.values = values
    }
    const made = this.nodes++
    this.place(node, unit, made)
    this.transitions++
    return made
  }

  private place(node: number, unit: number, child: number): void {
    let i = slot(node, unit, this.mask)
    while (this.keys[i] !== -1) i = (i + 1) & this.mask
    this.keys[i] = node * 65536 + unit
    this.children[i] = child
  }

  private grow(): void {
    const { keys, children } = this
    const capacity = keys.length * 2
    this.keys = new Float64Array(capacity).fill(-1)
    this.children = new Int32Array(capacity)
    this.mask = capacity - 1
    for (let i = 0; i < keys.length; i++)
      if (keys[i] !== -1) this.place(Math.floor(keys[i] / 65536), keys[i] % 65536, children[i])
  }
}

/** Where to look first for a transition. */
function slot(node: number, unit: number, mask: number): number {
  const mixed = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)
  return (mixed ^ (mixed >>> 15)) & mask
}
