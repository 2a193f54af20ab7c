/**
 * Throughput of a tokenizer on a text, in chunks of 2000 characters as the peers take them; one line of JSON.
 *
 *     node --conditions=kaimo-source --import tsx bench/tokenizers.ts TOKENIZER.json TEXT [PASSES]
 *
 * `MBs_cold`: every pass with a tokenizer that has seen no word before (the code is warm); `MBs_warm`: again and again with one.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseTokenizerJson, type Tokenizer } from '../src/text/index.js'

const [file, textFile, passes = '7'] = process.argv.slice(2)
if (!file || !textFile) {
  console.error('usage: bench/tokenizers.ts TOKENIZER.json TEXT [PASSES]')
  process.exit(2)
}

const json = readFileSync(file, 'utf8')
const characters = Array.from(readFileSync(textFile, 'utf8'))
const chunks: string[] = []
for (let i = 0; i < characters.length; i += 2000) chunks.push(characters.slice(i, i + 2000).join(''))
const bytes = chunks.reduce((sum, chunk) => sum + Buffer.byteLength(chunk), 0)

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** Megabytes a second of one pass, and its tokens. */
function pass(tokenizer: Tokenizer): { rate: number; tokens: number } {
  let tokens = 0
  const start = performance.now()
  for (const chunk of chunks) tokens += tokenizer.encode(chunk).ids.length
  return { rate: bytes / (performance.now() - start) / 1e3, tokens }
}

const times = Array.from({ length: Number(passes) }, (_, i) => i)
const start = performance.now()
const first = parseTokenizerJson(json)
const load = performance.now() - start
const { tokens } = pass(first)
const cold = times.map(() => {
  const fresh = parseTokenizerJson(json)
  // Its tables are made at the first text.
  fresh.encode('')
  return pass(fresh).rate
})
const warm = times.map(() => pass(first).rate)
console.log(
  JSON.stringify({
    case: `tok_${basename(file)}`,
    threads: 1,
    load_ms: +load.toFixed(1),
    MBs_cold: +median(cold).toFixed(2),
    MBs_warm: +median(warm).toFixed(2),
    tokens,
    bytes,
  }),
)
