/** The alphabet of byte-level tokenizers (GPT-2): each byte as one printable character. */
import { type AlignedText, isAscii } from './aligned-text.js'
import { lazy } from './unicode/ranges.js'

const printable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae

/** Code unit of the character of each byte: itself where printable, else the next one from 256 on. */
export const byteUnits = lazy(() => {
  const units = new Uint16Array(256)
  let next = 256
  for (let byte = 0; byte < 256; byte++) units[byte] = printable(byte) ? byte : next++
  return units
})

/** The byte of each character of the alphabet, -1 for other units below 512. */
export const unitBytes = lazy(() => {
  const bytes = new Int16Array(512).fill(-1)
  for (const [byte, unit] of byteUnits().entries()) bytes[unit] = byte
  return bytes
})

export const byteCharacter = (byte: number): string => String.fromCharCode(byteUnits()[byte])

const encoder = new TextEncoder()

export function bytesToCharacters(text: string): string {
  const units = byteUnits()
  const bytes = encoder.encode(text)
  let out = ''
  for (let i = 0; i < bytes.length; i++) out += String.fromCharCode(units[bytes[i]])
  return out
}

/** Turns a text into the characters of its bytes; those of one character share its range. */
export function encodeBytes(text: AlignedText): void {
  const units = byteUnits()
  if (isAscii(text.text)) {
    let out = ''
    for (let i = 0; i < text.text.length; i++) out += String.fromCharCode(units[text.text.charCodeAt(i)])
    text.replaceUnits(out)
    return
  }
  const codePoints: number[] = []
  const changes: number[] = []
  for (const char of text.text) {
    const bytes = encoder.encode(char)
    for (let i = 0; i < bytes.length; i++) {
      codePoints.push(units[bytes[i]])
      changes.push(i === 0 ? 0 : 1)
    }
  }
  if (codePoints.length > 0) text.transform({ codePoints, changes })
}

/** The characters of all bytes. */
export const byteAlphabet = (): string[] => Array.from(byteUnits(), (unit) => String.fromCharCode(unit))
