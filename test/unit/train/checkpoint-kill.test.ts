import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CheckpointStore, findCheckpoint } from '../../../src/train/checkpoint-store.node.js'
import { temporaryDirectory } from '../formats/helpers.js'

const program = fileURLToPath(new URL('./fixtures/save-forever.ts', import.meta.url))

/** Runs the saving program and kills it some milliseconds after its first save; the number it printed last. */
async function saveAndKill(directory: string, delay: number): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (text) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), delay)
    output += text
  })
  const [, signal] = await once(child, 'close')
  assert.equal(signal, 'SIGKILL')
  return Number(output.trim().split('\n').at(-1))
}

test('after a SIGKILL at any moment the last complete checkpoint loads', async (t) => {
  const root = await temporaryDirectory(t)
  for (let run = 0; run < 6; run++) {
    const directory = join(root, String(run))
    const printed = await saveAndKill(directory, Math.random() * 60)
    const checkpoint = await findCheckpoint(directory)
    assert.ok(checkpoint.number === printed || checkpoint.number === printed + 1)
    const { step } = (await checkpoint.readJson('state.json')) as { step: number }
    for (const [name, tensor] of [
      ['model.safetensors', 'w'],
      ['optimizer.safetensors', 'm'],
    ]) {
      const file = await checkpoint.openTensors(name)
      assert.ok(
        (await file.read(tensor)).data.every((value) => value === step),
        `${name} of step ${step}`,
      )
      await file.close()
    }
    await CheckpointStore.open(directory)
  }
})
