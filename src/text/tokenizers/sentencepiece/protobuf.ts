/** A reader of Protocol Buffers' wire format, bounded by the bytes that there are. */
import { FormatError } from '../../../formats/errors.js'

/** One field: its number and value, by wire type. */
export type ProtoField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: number }
  | { readonly number: number; readonly kind: 'fixed32'; readonly value: number }
  | { readonly number: number; readonly kind: 'bytes'; readonly value: Uint8Array }

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
export const protoString = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Fields of a message in order; 64-bit fields are passed over. @throws FormatError where the bytes are no message */
export function* protoFields(bytes: Uint8Array, where: string): Generator<ProtoField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const fail = (what: string): never => {
    throw new FormatError(`${where}: ${what} at byte ${at}`)
  }
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= bytes.length) fail('a number that ends too early')
      const byte = bytes[at++]
      // Beyond 53 bits only the sign of negative numbers is left, which no field here has.
      if (shift < 49) value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    return fail('a number that is too long')
  }
  const need = (count: number): void => {
    if (count > bytes.length - at) fail(`a field of ${count} bytes, ${bytes.length - at} are left`)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    if (number === 0) fail('a field without number')
    if (wire === 0) yield { number, kind: 'varint', value: varint() }
    else if (wire === 1) {
      need(8)
      at += 8
    } else if (wire === 2) {
      const length = varint()
      need(length)
      at += length
      yield { number, kind: 'bytes', value: bytes.subarray(at - length, at) }
    } else if (wire === 5) {
      need(4)
      at += 4
      yield { number, kind: 'fixed32', value: view.getFloat32(at - 4, true) }
    } else fail(`an unknown kind of field (${wire})`)
  }
}
