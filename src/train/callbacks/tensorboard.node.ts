import { mkdirSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Logs } from '../history.js'
import { Callback } from './callback.js'

// TensorBoard's event files: TFRecord frames around Event protocol buffers
// (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

/** CRC-32C (Castagnoli). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]
  return (crc ^ 0xffffffff) >>> 0
}

const masked = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** One TFRecord frame: length, its masked CRC, data, its masked CRC. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(data.length + 16)
  const view = new DataView(frame.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, masked(frame.subarray(0, 8)), true)
  frame.set(data, 12)
  view.setUint32(12 + data.length, masked(data), true)
  return frame
}

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

function varint(value: number | bigint): number[] {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return bytes
}

const tag = (field: number, wire: number): number[] => varint((field << 3) | wire)

function fixed(field: number, value: number, wire: typeof FIXED32 | typeof FIXED64): number[] {
  const view = new DataView(new ArrayBuffer(wire === FIXED32 ? 4 : 8))
  if (wire === FIXED32) view.setFloat32(0, value, true)
  else view.setFloat64(0, value, true)
  return [...tag(field, wire), ...new Uint8Array(view.buffer)]
}

const bytesField = (field: number, bytes: ArrayLike<number>): number[] => [
  ...tag(field, BYTES),
  ...varint(bytes.length),
  ...Array.from(bytes),
]
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Event { wall_time = 1, step = 2, file_version = 3 }. */
export const versionEvent = (seconds: number): Uint8Array =>
  Uint8Array.from([...fixed(1, seconds, FIXED64), ...bytesField(3, text('brain.Event:2'))])

/** Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }. */
export function scalarEvent(seconds: number, step: number, values: Readonly<Record<string, number>>): Uint8Array {
  const summary = Object.entries(values).flatMap(([name, value]) =>
    bytesField(1, [...bytesField(1, text(name)), ...fixed(2, value, FIXED32)]),
  )
  return Uint8Array.from([...fixed(1, seconds, FIXED64), ...tag(2, VARINT), ...varint(step), ...bytesField(5, summary)])
}

/** Event files with every logged number an epoch: `train/` and `validation/` in the manner of Keras. */
export class TensorBoard extends Callback {
  private readonly files = new Map<string, FileHandle>()

  constructor(private readonly directory: string) {
    super()
  }

  private async fileFor(run: string): Promise<FileHandle> {
    let file = this.files.get(run)
    if (!file) {
      const folder = join(this.directory, run)
      mkdirSync(folder, { recursive: true })
      const seconds = Date.now() / 1000
      file = await open(join(folder, `events.out.tfevents.${Math.floor(seconds)}.${hostname()}.${process.pid}.v2`), 'a')
      await file.write(tfRecord(versionEvent(seconds)))
      this.files.set(run, file)
    }
    return file
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    const runs: Record<string, Record<string, number>> = { train: {}, validation: {} }
    for (const [name, value] of Object.entries(logs)) {
      if (name.startsWith('val_')) runs.validation[`epoch_${name.slice(4)}`] = value
      else runs.train[`epoch_${name}`] = value
    }
    for (const [run, values] of Object.entries(runs)) {
      if (Object.keys(values).length === 0) continue
      await (await this.fileFor(run)).write(tfRecord(scalarEvent(Date.now() / 1000, epoch, values)))
    }
  }

  override async onTrainEnd(): Promise<void> {
    for (const file of this.files.values()) await file.close()
    this.files.clear()
  }
}
