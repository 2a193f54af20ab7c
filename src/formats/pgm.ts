/**
 * PGM, grey images: `P5` (binary) or `P2` (text), width, height, greatest value, then the pixels row by row. `#` begins a comment in the
 * header. Source: Netpbm, "PGM Format Specification".
 */

import { FormatError } from './errors.js'
import type { HostArray } from './host-array.js'

const MAX_PIXELS = 1 << 28

/** Reads numbers and the magic, which white space and comments part. */
class Header {
  position = 0
  constructor(
    private readonly bytes: Uint8Array,
    private readonly source: string,
  ) {}

  private space(): void {
    for (; this.position < this.bytes.length; this.position++) {
      const byte = this.bytes[this.position]
      if (byte === 0x23) while (this.position < this.bytes.length && this.bytes[this.position] !== 0x0a) this.position++
      else if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return
    }
  }

  number(what: string): number {
    this.space()
    const start = this.position
    while (this.bytes[this.position] >= 0x30 && this.bytes[this.position] <= 0x39) this.position++
    const text = String.fromCharCode(...this.bytes.subarray(start, Math.min(this.position, start + 12)))
    if (text === '' || text.length > 10) throw new FormatError(`${this.source}: expected the ${what} at byte ${start}`)
    return Number(text)
  }
}

/**
 * Reads a PGM image as u8 [height, width]; a greatest value other than 255 is scaled to 255.
 * @throws FormatError where it is malformed
 */
export function parsePgm(bytes: Uint8Array, source = 'PGM'): HostArray {
  const magic = String.fromCharCode(bytes[0] ?? 0, bytes[1] ?? 0)
  if (magic !== 'P5' && magic !== 'P2')
    throw new FormatError(`${source}: not a PGM image: expected P5 or P2 at its start`)
  const header = new Header(bytes, source)
  header.position = 2
  const width = header.number('width')
  const height = header.number('height')
  const greatest = header.number('greatest value')
  if (width < 1 || height < 1 || width * height > MAX_PIXELS)
    throw new FormatError(`${source}: ${width} x ${height} is not the size of an image`)
  if (greatest < 1 || greatest > 255)
    throw new FormatError(`${source}: expected a greatest value of 1 to 255, got ${greatest}`)
  const data = new Uint8Array(width * height)
  const scale = (value: number, i: number): void => {
    if (value > greatest)
      throw new FormatError(`${source}: pixel ${i} is ${value}, above the greatest value ${greatest}`)
    data[i] = greatest === 255 ? value : Math.round((value * 255) / greatest)
  }
  if (magic === 'P2') {
    for (let i = 0; i < data.length; i++) scale(header.number(`value of pixel ${i}`), i)
    return { dtype: 'u8', shape: [height, width], data }
  }
  const pixels = bytes.subarray(header.position + 1)
  if (pixels.length < data.length)
    throw new FormatError(
      `${source}: ${width} x ${height} pixels need ${data.length} bytes, the file has ${pixels.length}`,
    )
  for (let i = 0; i < data.length; i++) scale(pixels[i], i)
  return { dtype: 'u8', shape: [height, width], data }
}
