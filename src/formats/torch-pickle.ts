/**
 * The part of PyTorch's pickles that rebuilds tensors. Names outside {@link NAMES} are refused, whatever they are.
 * Source: torch/_utils.py (`_rebuild_*`) and torch/serialization.py (`persistent_load`).
 */
import { FormatError } from './errors.js'
import { elementCount } from './host-array.js'
import { describePickleValue, type PickleHost, PickleObject, type PickleValue } from './pickle.js'
import { STORAGE_DTYPES, TORCH_DTYPES, type TorchDType, TorchName, TorchStorage, TorchTensor } from './torch-values.js'

type Call = (args: readonly PickleValue[], where: string) => PickleValue

const isCount = (value: PickleValue | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

function count(value: PickleValue | undefined, what: string, where: string): number {
  if (isCount(value)) return value
  throw new FormatError(`${where}: expected ${what} as a non-negative integer, got ${describePickleValue(value)}`)
}

function counts(value: PickleValue | undefined, what: string, where: string): number[] {
  if (Array.isArray(value) && value.length <= 64 && value.every(isCount)) return [...value]
  throw new FormatError(
    `${where}: expected ${what} as at most 64 non-negative integers, got ${describePickleValue(value)}`,
  )
}

function tensor(args: readonly PickleValue[], elementType: TorchDType | undefined, where: string): TorchTensor {
  const [storage, offsetValue, size, stride] = args
  if (!(storage instanceof TorchStorage)) {
    throw new FormatError(`${where}: expected a tensor's storage, got ${describePickleValue(storage)}`)
  }
  const dtype = elementType ?? storage.dtype
  const shape = counts(size, "a tensor's shape", where)
  const strides = counts(stride, "a tensor's strides", where)
  const offset = count(offsetValue, "a tensor's offset", where)
  if (shape.length !== strides.length) {
    throw new FormatError(`${where}: a tensor of shape [${shape}] has strides [${strides}]`)
  }
  if (elementCount(shape) === undefined) throw new FormatError(`${where}: a tensor of shape [${shape}] is too large`)
  // The storage may be declared in another element type than the tensor's.
  const held = Math.floor((storage.viewLength * storage.dtype.bytes) / dtype.bytes)
  const base = (storage.offset * storage.dtype.bytes) / dtype.bytes
  if (!Number.isInteger(base)) throw new FormatError(`${where}: a ${dtype.name} tensor starts within an element`)
  const view = new TorchTensor(storage, dtype, shape, strides, base + offset)
  if (offset + view.extent > held) {
    throw new FormatError(
      `${where}: a tensor of shape [${shape}], strides [${strides}] and offset ${offset} passes the ${held} elements of its storage`,
    )
  }
  return view
}

/** Flags that ask for a conjugate or negated view: elements that differ from what is stored. */
function plainView(metadata: PickleValue | undefined, where: string): void {
  if (!(metadata instanceof Map)) return
  for (const [flag, value] of metadata) {
    if (value === true)
      throw new FormatError(`${where}: tensors with the flag ${describePickleValue(flag)} are not read`)
  }
}

function rebuildV2(args: readonly PickleValue[], where: string): PickleValue {
  plainView(args[6], where)
  return tensor(args, undefined, where)
}

function rebuildV3(args: readonly PickleValue[], where: string): PickleValue {
  const name = args[6]
  const dtype = name instanceof TorchName ? TORCH_DTYPES.get(name.name.replace(/^torch\./, '')) : undefined
  if (dtype === undefined) {
    throw new FormatError(`${where}: expected a torch element type, got ${describePickleValue(name)}`)
  }
  plainView(args[7], where)
  return tensor(args, dtype, where)
}

function parameter([data]: readonly PickleValue[], where: string): PickleValue {
  if (data instanceof TorchTensor) return data
  throw new FormatError(`${where}: expected a parameter's tensor, got ${describePickleValue(data)}`)
}

/** `_rebuild_from_type_v2(function, type, arguments, state)`: a tensor of a subclass, whose attributes are of no use here. */
function fromType([callee, type, args]: readonly PickleValue[], where: string): PickleValue {
  if (!(type instanceof TorchName && /^torch\.(Tensor|nn\.parameter\.(Parameter|Buffer))$/.test(type.name))) {
    throw new FormatError(`${where}: expected torch.Tensor or a parameter, got ${describePickleValue(type)}`)
  }
  if (!Array.isArray(args)) throw new FormatError(`${where}: expected arguments, got ${describePickleValue(args)}`)
  return callName(callee, args, where)
}

function pairs(args: readonly PickleValue[], where: string): PickleValue {
  const [items] = args
  if (items === undefined) return new Map()
  if (items instanceof Map) return new Map(items)
  if (!Array.isArray(items)) throw new FormatError(`${where}: expected pairs, got ${describePickleValue(items)}`)
  return new Map(
    items.map((pair) => {
      if (Array.isArray(pair) && pair.length === 2) return [pair[0], pair[1]]
      throw new FormatError(`${where}: expected pairs, got ${describePickleValue(pair)}`)
    }),
  )
}

function list([items]: readonly PickleValue[], where: string): PickleValue[] {
  if (items === undefined) return []
  if (Array.isArray(items)) return [...items]
  throw new FormatError(`${where}: expected a list, got ${describePickleValue(items)}`)
}

/** Python 3 writes bytes for older protocols as `_codecs.encode(text, "latin1")`. */
function encode([text, codec]: readonly PickleValue[], where: string): PickleValue {
  if (typeof text === 'string' && (codec === 'latin1' || codec === 'latin-1')) {
    return Uint8Array.from(text, (char) => char.charCodeAt(0))
  }
  throw new FormatError(`${where}: expected text to encode as latin1, got ${describePickleValue(text)}`)
}

const refused =
  (what: string): Call =>
  (_, where) => {
    throw new FormatError(`${where}: ${what} are not read`)
  }

/** A name that stands for itself, such as a dtype. */
const constant: Call | null = null

/** Every name that a checkpoint may use, and what calling it gives. */
const NAMES: ReadonlyMap<string, Call | null> = new Map<string, Call | null>([
  ['torch._utils._rebuild_tensor', (args, where) => tensor(args, undefined, where)],
  ['torch._utils._rebuild_tensor_v2', rebuildV2],
  ['torch._utils._rebuild_tensor_v3', rebuildV3],
  ['torch._utils._rebuild_parameter', parameter],
  ['torch._utils._rebuild_parameter_with_state', parameter],
  ['torch._tensor._rebuild_from_type_v2', fromType],
  ['torch._utils._rebuild_qtensor', refused('quantized tensors (torch._utils._rebuild_qtensor)')],
  ['torch._utils._rebuild_sparse_tensor', refused('sparse tensors (torch._utils._rebuild_sparse_tensor)')],
  ['torch._utils._rebuild_sparse_csr_tensor', refused('sparse tensors (torch._utils._rebuild_sparse_csr_tensor)')],
  ['torch._utils._rebuild_nested_tensor', refused('nested tensors (torch._utils._rebuild_nested_tensor)')],
  [
    'torch._utils._rebuild_meta_tensor_no_storage',
    refused('tensors without data (torch._utils._rebuild_meta_tensor_no_storage)'),
  ],
  ['torch.nn.parameter.Parameter', parameter],
  ['torch.nn.parameter.Buffer', parameter],
  ['torch.Tensor', constant],
  ['torch.serialization._get_layout', refused('sparse tensors (torch.serialization._get_layout)')],
  ['torch.Size', list],
  ['torch.device', (args) => args.map((part) => describePickleValue(part).replaceAll('"', '')).join(':')],
  ['collections.OrderedDict', pairs],
  ['collections.Counter', pairs],
  ['builtins.dict', pairs],
  ['builtins.list', list],
  ['builtins.tuple', list],
  ['builtins.set', (args, where) => new Set(list(args, where))],
  ['builtins.frozenset', (args, where) => new Set(list(args, where))],
  ['_codecs.encode', encode],
  ...['per_tensor_affine', 'per_channel_affine', 'per_tensor_symmetric', 'per_channel_symmetric'].map(
    (name): [string, null] => [`torch.${name}`, constant],
  ),
  ...[...TORCH_DTYPES.keys()].map((name): [string, null] => [`torch.${name}`, constant]),
])

const STORAGE_NAME = /^torch\.(?:cuda\.|storage\.)?(\w+Storage)$/
/** Storages that are listed as quantized tensors would be: named, never read. */
const QUANTIZED_STORAGE = /^Q(U?)Int\d+(x\d+)?Storage$/

function callName(callee: PickleValue | undefined, args: readonly PickleValue[], where: string): PickleValue {
  const call = callee instanceof TorchName ? NAMES.get(callee.name) : undefined
  if (!call) throw new FormatError(`${where}: cannot call ${describePickleValue(callee)}`)
  return call(args, where)
}

/** Persistent ids are `("storage", class, key, device, length)`, and in old files one more: `(key, offset, length)` of a view. */
function storageOf(id: PickleValue, where: string): TorchStorage {
  if (!Array.isArray(id) || id[0] !== 'storage') {
    const what =
      Array.isArray(id) && id[0] === 'module' ? `the class ${describePickleValue(id[1])}` : describePickleValue(id)
    throw new FormatError(`${where}: expected a storage, got ${what}: only tensors are read, not whole models`)
  }
  const [, type, key, , length, view] = id
  const name = type instanceof TorchName ? STORAGE_NAME.exec(type.name)?.[1] : undefined
  if (name !== undefined && QUANTIZED_STORAGE.test(name)) {
    throw new FormatError(`${where}: quantized tensors (${name}) are not read`)
  }
  const dtype = TORCH_DTYPES.get(STORAGE_DTYPES.get(name ?? '') ?? '')
  if (dtype === undefined) throw new FormatError(`${where}: expected a storage class, got ${describePickleValue(type)}`)
  const total = count(length, "a storage's length", where)
  if (typeof key !== 'string')
    throw new FormatError(`${where}: expected a storage's key, got ${describePickleValue(key)}`)
  if (!Array.isArray(view)) return new TorchStorage(key, dtype, total, 0, total)
  const offset = count(view[1], "a storage view's offset", where)
  const viewLength = count(view[2], "a storage view's length", where)
  if (offset + viewLength > total) {
    throw new FormatError(`${where}: a view of ${viewLength} elements at ${offset} passes its storage of ${total}`)
  }
  return new TorchStorage(key, dtype, total, offset, viewLength)
}

/** Python 2's names of modules. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^__builtin__\./, 'builtins.'],
  [/^torch\.nn\.Parameter$/, 'torch.nn.parameter.Parameter'],
]

/** Gives meaning to the names in a PyTorch checkpoint, and refuses all others by name. */
export class TorchHost implements PickleHost {
  /** Every storage that the pickle has named, by key. */
  readonly storages = new Map<string, TorchStorage>()

  global(written: string, where: string): TorchName {
    const name = RENAMED.reduce((text, [from, to]) => text.replace(from, to), written)
    if (NAMES.has(name) || STORAGE_NAME.test(name)) return new TorchName(name)
    throw new FormatError(
      `${where}: the checkpoint asks for ${name.slice(0, 200)}: refused, as only tensors and plain containers are read`,
    )
  }

  call = callName

  build(object: PickleValue, _state: PickleValue, where: string): void {
    // Attributes of dictionaries (`_metadata`) and of parameters say nothing about the elements.
    if (object instanceof Map || object instanceof TorchTensor) return
    throw new FormatError(`${where}: cannot set attributes of ${describePickleValue(object)}`)
  }

  persistent(id: PickleValue, where: string): TorchStorage {
    const storage = storageOf(id, where)
    const known = this.storages.get(storage.key) ?? storage
    if (known.dtype !== storage.dtype || known.length !== storage.length) {
      const [was, is] = [known.describe(), storage.describe()]
      throw new FormatError(`${where}: storage ${JSON.stringify(storage.key)} is ${was} in one place, ${is} in another`)
    }
    this.storages.set(storage.key, known)
    return storage
  }
}

/** Deeper than any checkpoint that is not hostile. */
const MAX_DEPTH = 64
/** Lists that hold one another can be walked forever: bounds the walk by what the pickle could hold. */
const MAX_VISITS = 2_000_000

function keyText(key: PickleValue, where: string): string {
  if (typeof key === 'string') return key
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return String(key)
  throw new FormatError(`${where}: expected the name of a tensor, got ${describePickleValue(key)}`)
}

/**
 * The tensors of a pickled value by name: the keys of dictionaries and the positions in lists, joined by dots. Other values are passed over.
 * @throws FormatError where two have one name, or the nesting is deeper than 64
 */
export function namedTensors(root: PickleValue, source: string): Map<string, TorchTensor> {
  const found = new Map<string, TorchTensor>()
  let visits = 0
  const visit = (value: PickleValue, path: string, depth: number): void => {
    if (++visits > MAX_VISITS) throw new FormatError(`${source}: more than ${MAX_VISITS} values`)
    if (value instanceof TorchTensor) {
      if (found.has(path)) throw new FormatError(`${source}: two tensors are called ${JSON.stringify(path)}`)
      found.set(path, value)
      return
    }
    const nested = value instanceof Map ? value : Array.isArray(value) ? value.entries() : null
    if (nested === null) return
    if (depth >= MAX_DEPTH) throw new FormatError(`${source}: nested deeper than ${MAX_DEPTH} levels`)
    for (const [key, item] of nested) {
      if (item === null || typeof item !== 'object') continue
      const name =
        item instanceof PickleObject || item instanceof Map || Array.isArray(item) ? keyText(key, source) : ''
      visit(item, path === '' ? name : `${path}.${name}`, depth + 1)
    }
  }
  visit(root, '', 0)
  return found
}
