// From opening the weights of a bert-base (random, 440 MB in f32; 500 MB with --big) to its first logits, in a process of its own, against one more forward.
//   node --conditions=kaimo-source --import tsx bench/open-checkpoint.ts [--big] [--rounds 3] [--tokens 128]
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { AutoModelForSequenceClassification, tensor } from 'kaimo'

const { values } = parseArgs({
  options: {
    big: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '128' },
    measure: { type: 'boolean' },
  },
})
const folder = join(tmpdir(), `kaimo-bench-bert-base${values.big ? '-big' : ''}`)
const weights = join(folder, 'model.safetensors')

async function generate(): Promise<void> {
  const model = await AutoModelForSequenceClassification.fromConfig({
    model_type: 'bert',
    vocab_size: values.big ? 50_000 : 30_522,
  })
  await model.savePretrained(folder)
}

async function measure(): Promise<object> {
  const length = Number(values.tokens)
  const ids = tensor(
    Array.from({ length }, (_, i) => 100 + 7 * i),
    { dtype: 'i32' },
  ).reshape([1, length])
  const start = performance.now()
  const model = await AutoModelForSequenceClassification.fromPretrained(folder)
  const opened = performance.now()
  const forward = async (): Promise<number> => {
    const from = performance.now()
    await model.forward({ input_ids: ids }).logits?.data()
    return performance.now() - from
  }
  const first = await forward()
  const later = [await forward(), await forward(), await forward(), await forward(), await forward()]
  const steady = Math.min(...later.slice(2))
  const round = (ms: number): number => Math.round(ms * 10) / 10
  return {
    open_ms: round(opened - start),
    first_forward_ms: round(first),
    later_forwards_ms: later.map(round),
    open_to_logits_less_a_forward_ms: round(opened - start + first - steady),
  }
}

if (values.measure) console.log(JSON.stringify(await measure()))
else {
  if (!existsSync(weights)) await generate()
  console.log(`${weights}: ${statSync(weights).size} bytes`)
  const again = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2), '--measure']
  for (let i = 0; i < Number(values.rounds); i++) process.stdout.write(execFileSync(process.execPath, again))
}
