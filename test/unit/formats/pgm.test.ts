import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePgm } from '../../../src/formats/pgm.js'

const bytes = (text: string, ...rest: number[]): Uint8Array =>
  Uint8Array.from([...new TextEncoder().encode(text), ...rest])

describe('PGM', () => {
  it('is read from bytes and from text, with comments', () => {
    const binary = parsePgm(bytes('P5 # made by hand\n3\t2\n255\n', 0, 1, 2, 253, 254, 255))
    assert.deepEqual([binary.dtype, binary.shape], ['u8', [2, 3]])
    assert.deepEqual([...binary.data], [0, 1, 2, 253, 254, 255])
    assert.deepEqual([...parsePgm(bytes('P2\n2 1\n#\n4\n0 4\n')).data], [0, 255])
  })

  it('is refused where it is malformed', () => {
    const wrong: readonly (readonly [Uint8Array, RegExp])[] = [
      [bytes('P6 1 1 255\n', 0), /not a PGM image/],
      [bytes('P5 2 2 255\n', 1, 2, 3), /2 x 2 pixels need 4 bytes, the file has 3/],
      [bytes('P5 99999999999 1 255\n'), /expected the width/],
      [bytes('P5 999999999 999999999 255\n'), /is not the size of an image/],
      [bytes('P5 1 1 65535\n', 0, 0), /greatest value of 1 to 255/],
      [bytes('P2 2 1 9\n3'), /value of pixel 1/],
      [bytes('P2 1 1 9\n10'), /pixel 0 is 10, above/],
      [bytes(''), /not a PGM image/],
    ]
    for (const [data, message] of wrong) assert.throws(() => parsePgm(data, 'x.pgm'), message)
  })
})
