import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  chromeTrace,
  jit,
  matmul,
  nn,
  profileSvg,
  random,
  seed,
  startProfile,
  summarizeProfile,
  type Tensor,
} from 'kaimo'
import { currentBackend, realise } from '../../src/runtime/index.js'

test('a profile holds every kernel with its operations and bytes', async () => {
  const [a, b] = [random.normal([64, 48]), random.normal([48, 32])]
  const step = jit((x: Tensor, y: Tensor) => matmul(x, y).exp(), { name: 'product' })
  await realise([step(a, b).value])
  const running = startProfile()
  for (let i = 0; i < 3; i++) await realise([step(a, b).value])
  const profile = running.stop()
  const totals = summarizeProfile(profile)
  const dot = totals.find(({ kernel }) => kernel.startsWith('dot_general'))
  assert.equal(dot?.count, 3)
  assert.equal(profile.spans.find(({ kernel }) => kernel === dot?.kernel)?.flops, 2 * 64 * 48 * 32)
  assert.match(dot?.shapes ?? '', /^f32\[64,48\] f32\[48,32\].* -> f32\[64,32\]$/)
  const exp = totals.find(({ kernel }) => kernel === 'elementwise')
  assert.ok(exp && exp.bandwidth > 0 && exp.gflops === 0)
  assert.ok(Math.abs(totals.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9)
  assert.ok(profile.limits.gflops > 0 && profile.limits.bandwidth > 0)
  const { traceEvents } = JSON.parse(chromeTrace(profile)) as { traceEvents: { ph: string; name: string }[] }
  assert.equal(traceEvents.filter(({ ph, name }) => ph === 'X' && name === dot?.kernel).length, 3)
  assert.match(profileSvg(profile), /^<svg [\s\S]*product[\s\S]*<\/svg>$/)
})

test('nothing is recorded after the profile stops, and a new one starts empty', async () => {
  const x = random.normal([8])
  startProfile().stop()
  await realise([x.exp().value])
  assert.deepEqual(currentBackend().profiler?.stop(), [])
  assert.deepEqual(startProfile().stop().spans, [])
})

test('fit can profile its steps', async () => {
  seed(1)
  const model = nn.sequential([nn.dense(4, { inputShape: [3] })])
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' })
  const history = await model.fit(random.normal([64, 3]), random.normal([64, 4]), { batchSize: 2, profile: true })
  const programs = new Set(history.profile?.spans.map(({ program }) => program))
  assert.ok(programs.size > 0 && (history.profile?.spans.length ?? 0) >= 20)
})
