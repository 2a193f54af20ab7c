import { arrayConstructor, type DType, dtypeKind, isFloat } from '../ir/index.js'
import { allocateHost, decode, encode, type HostArray, type NumberArray, roundToStorage } from './array.js'
import { bigToF32, rangeOf, saturate, saturateBig } from './semantics.js'

function fromBig(x: BigInt64Array, out: NumberArray, to: DType): void {
  if (to === 'f64') for (let i = 0; i < out.length; i++) out[i] = Number(x[i])
  else if (isFloat(to)) for (let i = 0; i < out.length; i++) out[i] = bigToF32(x[i])
  else if (to === 'bool') for (let i = 0; i < out.length; i++) out[i] = x[i] === 0n ? 0 : 1
  else for (let i = 0; i < out.length; i++) out[i] = Number(BigInt.asIntN(32, x[i]))
}

/** Changes the dtype of every element; edge cases as in the table of `semantics.ts`. */
export function evaluateConvert(x: HostArray, from: DType, to: DType): HostArray {
  if (from === to) return x
  const out = allocateHost(to, x.length)
  if (out instanceof BigInt64Array) {
    const values = x as NumberArray
    for (let i = 0; i < out.length; i++) out[i] = saturateBig(values[i])
    return out
  }
  if (x instanceof BigInt64Array) fromBig(x, out, to)
  else if (to === 'bool') for (let i = 0; i < out.length; i++) out[i] = x[i] === 0 ? 0 : 1
  else if (isFloat(from) && dtypeKind(to) === 'int') {
    const range = rangeOf(to)
    for (let i = 0; i < out.length; i++) out[i] = saturate(x[i], range)
  } else out.set(x)
  return roundToStorage(out, to)
}

/** Reads the bits of every element as another dtype of the same size. */
export function evaluateBitcast(x: HostArray, from: DType, to: DType): HostArray {
  const bits = encode(x, from)
  const array = arrayConstructor(to)
  const out = decode(new array(bits.buffer.slice(bits.byteOffset, bits.byteOffset + bits.byteLength)), to)
  return to === 'bool' ? (out as Uint8Array).map((byte) => (byte === 0 ? 0 : 1)) : out
}
