/** Seeded ways to break files. */

/** Numbers that follow from a seed: mulberry32. */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
}

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array

const BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x28, 0x2e, 0x5b, 0x7b]
const LENGTHS = [
  0n,
  1n,
  0x7fn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 40n,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
]

const splice = (bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array =>
  Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)])

const MUTATIONS: readonly Mutation[] = [
  function flip(bytes, random) {
    const copy = new Uint8Array(bytes)
    if (copy.length > 0) copy[random.below(copy.length)] ^= 1 << random.below(8)
    return copy
  },
  function setByte(bytes, random) {
    const copy = new Uint8Array(bytes)
    if (copy.length > 0) copy[random.below(copy.length)] = random.pick(BYTES)
    return copy
  },
  function truncate(bytes, random) {
    return bytes.slice(0, random.below(bytes.length + 1))
  },
  function dropFront(bytes, random) {
    return bytes.slice(random.below(Math.min(bytes.length + 1, 64)))
  },
  function lieAboutLength(bytes, random) {
    const width = random.pick([1, 2, 4, 8])
    const copy = new Uint8Array(bytes)
    if (copy.length < width) return copy
    const at = random.below(copy.length - width + 1)
    let value = random.pick(LENGTHS)
    for (let i = 0; i < width; i++, value >>= 8n) copy[at + i] = Number(value & 0xffn)
    return copy
  },
  function repeat(bytes, random) {
    const at = random.below(bytes.length + 1)
    const length = random.below(Math.min(64, bytes.length - at) + 1)
    const times = random.pick([1, 2, 100])
    const piece = Buffer.concat(Array.from({ length: times }, () => bytes.subarray(at, at + length)))
    return splice(bytes, at, 0, piece)
  },
  function remove(bytes, random) {
    const at = random.below(bytes.length + 1)
    return splice(bytes, at, random.below(64), new Uint8Array(0))
  },
  function copyWithin(bytes, random) {
    const from = random.below(bytes.length + 1)
    const piece = bytes.slice(from, from + random.below(64))
    return splice(bytes, random.below(bytes.length + 1), piece.length, piece)
  },
  function noise(bytes, random) {
    const piece = Uint8Array.from({ length: random.below(16) }, () => random.below(256))
    return splice(bytes, random.below(bytes.length + 1), 0, piece)
  },
]

/** Opcodes and names that attacks on pickles are made of. */
const GADGETS = [
  'cos\nsystem\n',
  'cposix\nsystem\n',
  'c__builtin__\neval\n',
  'cbuiltins\nexec\n',
  '\x8c\x08builtins\x8c\x07getattr\x93',
  '(S"echo"\nios\nsystem\n',
  'cnumpy.core.multiarray\n_reconstruct\n',
  'ctorch.storage\n_load_from_bytes\n',
  'ctorch._utils\n_rebuild_tensor_v2\n',
  'ccollections\nOrderedDict\n',
  'cbuiltins\nset\n',
  '\x82\x01',
  '\x97\x98',
  'X\x01\0\0\0x\x85R',
  '}}sb',
  'Q',
  'R',
  '\x81',
  '\x92',
  'b',
  'o',
  'h\0',
  `(${']'.repeat(500)}`,
  '2'.repeat(200),
  '\x8b\xff\xff\xff\x7f',
  '\x8e\xff\xff\xff\xff\xff\xff\xff\x7f',
].map((text) => Buffer.from(text, 'latin1'))

function gadget(bytes: Uint8Array, random: Random): Uint8Array {
  return splice(bytes, random.below(bytes.length + 1), random.below(4), random.pick(GADGETS))
}

/** JSON that is deep, large or of the wrong kind, put in the place of a value. */
const VALUES = [
  'null',
  '-1',
  '1e308',
  '[]',
  '{}',
  '""',
  '9007199254740993',
  '['.repeat(100),
  '{"a":'.repeat(100),
  '"\\u0000"',
  'true',
]

function jsonValue(bytes: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1')
  const values = [...text.matchAll(/-?\d+|"[^"]{0,80}"|\[[^[\]]{0,40}\]/g)]
  if (values.length === 0) return bytes
  const match = random.pick(values)
  return splice(bytes, match.index, match[0].length, Buffer.from(random.pick(VALUES)))
}

/** One to six changes. */
export function mutate(bytes: Uint8Array, random: Random, kind: 'bytes' | 'pickle' | 'json' = 'bytes'): Uint8Array {
  const special: Readonly<Record<string, Mutation | undefined>> = { pickle: gadget, json: jsonValue }
  let result = bytes
  for (let left = 1 + random.below(6); left > 0; left--) {
    const own = special[kind]
    result = own && random.next() < 0.4 ? own(result, random) : random.pick(MUTATIONS)(result, random)
  }
  return result
}
