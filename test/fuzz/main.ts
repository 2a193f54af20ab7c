import { parseArgs } from 'node:util'
import { fuzz } from './run.js'
import { TARGETS } from './targets.js'

const SLICE = 200

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
  },
})

const chosen = TARGETS.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) {
  console.error(`no target ${values.target}; there are ${TARGETS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const seconds = Number(values.seconds)
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
let failed = false
for (const target of chosen) {
  const end = Date.now() + (seconds * 1000) / chosen.length
  // At least one case, and a look at the clock now and then.
  const go = (cases: number): boolean => cases === 0 || (seconds > 0 && (cases % SLICE !== 0 || Date.now() < end))
  const { cases, read, findings, slowest, kinds } = await fuzz(target, first, go)
  const slow = `slowest ${slowest.ms.toFixed(0)} ms (seed ${slowest.seed})`
  console.log(
    `${target.name}: ${cases} cases from seed ${first}, ${read} still read, ${kinds.size} kinds of errors, ${slow}`,
  )
  for (const { seed, what } of findings.slice(0, 10)) console.error(`  seed ${seed}: ${what}`)
  if (findings.length > 0) console.error(`  ${findings.length} findings`)
  failed ||= findings.length > 0
}
process.exit(failed ? 1 : 0)
