/** A trie over UTF-16 units in one open-addressed table of transitions. */
export class UnitTrie {
  /** Four numbers a transition: node, unit, child, value at the child. */
  private slots: Int32Array
  private mask: number
  private transitions = 0
  private nodes = 1

  constructor(expected = 1024) {
    const capacity = 2 ** Math.max(10, Math.ceil(Math.log2(expected * 2)))
    this.slots = new Int32Array(capacity * 4).fill(-1)
    this.mask = capacity - 1
  }

  /** The transition from a node by a unit, or -1: see {@link child} and {@link value}. */
  step(node: number, unit: number): number {
    const { slots, mask } = this
    const mixed = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)
    for (let at = ((mixed ^ (mixed >>> 15)) & mask) << 2; ; at = (at + 4) & ((mask << 2) | 3)) {
      const found = slots[at]
      if (found === node && slots[at + 1] === unit) return at
      if (found === -1) return -1
    }
  }

  child(transition: number): number {
    return this.slots[transition + 2]
  }

  /** Value of the string that ends with a transition, -1 where none does. */
  value(transition: number): number {
    return this.slots[transition + 3]
  }

  /** Gives a string that is not empty a value of at least 0; the last one holds. */
  insert(text: string, value: number): void {
    let node = 0
    for (let i = 0; i < text.length; i++) {
      let at = this.step(node, text.charCodeAt(i))
      if (at < 0) at = this.place(node, text.charCodeAt(i))
      if (i === text.length - 1) this.slots[at + 3] = value
      node = this.slots[at + 2]
    }
  }

  /** The node that `text` leads to, or -1. */
  walk(text: string): number {
    let node = 0
    for (let i = 0; i < text.length; i++) {
      const at = this.step(node, text.charCodeAt(i))
      if (at < 0) return -1
      node = this.slots[at + 2]
    }
    return node
  }

  private place(node: number, unit: number): number {
    if (this.transitions * 2 >= this.mask) this.grow()
    this.transitions++
    const at = this.free(node, unit)
    this.slots[at] = node
    this.slots[at + 1] = unit
    this.slots[at + 2] = this.nodes++
    return at
  }

  private free(node: number, unit: number): number {
    const mixed = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b)
    let at = ((mixed ^ (mixed >>> 15)) & this.mask) << 2
    while (this.slots[at] !== -1) at = (at + 4) & ((this.mask << 2) | 3)
    return at
  }

  private grow(): void {
    const old = this.slots
    this.slots = new Int32Array(old.length * 2).fill(-1)
    this.mask = old.length / 2 - 1
    for (let at = 0; at < old.length; at += 4)
      if (old[at] !== -1) this.slots.set(old.subarray(at, at + 4), this.free(old[at], old[at + 1]))
  }
}
