// Loaded before every test file: after each test the bytes held by realised tensors must be back where they were.
import { afterEach, beforeEach } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { liveBytes } from '../../src/runtime/index.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const ROUNDS = 40

/** Collects until live bytes fall to `target` or it is clear that they will not. */
export async function settledBytes(target: number): Promise<number> {
  for (let round = 0; round < ROUNDS && liveBytes() > target; round++) {
    gc()
    // Finalizers run in a task of their own.
    await sleep(round < 5 ? 0 : 10)
  }
  return liveBytes()
}

// Counting starts here, ahead of what modules create when they are imported.
let before = liveBytes()

beforeEach(() => {
  before = liveBytes()
})

afterEach(async (context) => {
  const after = await settledBytes(before)
  if (after > before) {
    throw new Error(
      `'${context.name}' left ${after - before} bytes of tensors alive (${before} before, ${after} after)`,
    )
  }
})
