import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import * as nodeFiles from 'node:fs/promises'
import { lstat, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  type HubError,
  type HubOptions,
  type HubProgress,
  resolveFiles,
  resolveModelFiles,
} from '../../../src/hub/index.node.js'
import { fullDisk, temporaryDirectory } from '../formats/helpers.js'
import { FaultyHub, hashOf } from './server.js'

const COMMIT = 'a'.repeat(40)
const CONFIG = Buffer.from('{"model_type": "bert"}')

interface Setup {
  readonly hub: FaultyHub
  readonly cache: string
  readonly options: HubOptions & { readonly cacheDir: string }
  readonly weights: Buffer
}

/** A hub with one repository, and options that point to it. */
async function setUp(context: TestContext): Promise<Setup> {
  const hub = await FaultyHub.start(context)
  const cacheDir = await temporaryDirectory(context)
  const weights = randomBytes(200_000)
  hub.repositories['org/tiny'] = {
    commit: COMMIT,
    files: {
      'config.json': { content: CONFIG },
      'model.safetensors': { content: weights, large: true },
      'onnx/model.onnx': { content: Buffer.from('onnx'), large: true },
    },
  }
  const options = { endpoint: hub.endpoint, cacheDir, timeout: 400, environment: {}, retries: 3 }
  return { hub, cache: join(cacheDir, 'models--org--tiny'), options, weights }
}

const failsWith = (code: string, message: RegExp) => (error: HubError) => {
  assert.equal(error.name, 'HubError', String(error.stack))
  assert.equal(error.code, code, error.message)
  assert.match(error.message, message)
  return true
}

test("files land in Python's cache layout, and are asked for once", async (t) => {
  const { hub, cache, options, weights } = await setUp(t)
  const found = await resolveFiles(
    'org/tiny',
    ['config.json', 'model.safetensors', { optional: 'tokenizer.json' }],
    options,
  )
  assert.deepEqual(found, {
    folder: join(cache, 'snapshots', COMMIT),
    files: ['config.json', 'model.safetensors'],
    commit: COMMIT,
  })
  assert.deepEqual(await readFile(join(found.folder, 'model.safetensors')), weights)
  const hash = hashOf({ content: weights, large: true })
  assert.equal(await readlink(join(found.folder, 'model.safetensors')), `../../blobs/${hash}`)
  assert.equal(await readFile(join(cache, 'refs', 'main'), 'utf8'), COMMIT)
  assert.deepEqual((await readdir(join(cache, 'blobs'))).sort(), [hashOf({ content: CONFIG }), hash].sort())
  await resolveFiles('org/tiny', ['model.safetensors'], options)
  assert.equal(hub.requests(/safetensors/).length, 1)
  // A commit whose files are here needs no network at all.
  const before = hub.seen.length
  await resolveFiles('org/tiny', ['config.json'], { ...options, revision: COMMIT })
  assert.equal(hub.seen.length, before)
})

test('patterns choose files, in folders too, and a local folder is taken as it is', async (t) => {
  const { cache, options } = await setUp(t)
  const nested = await resolveFiles('org/tiny', [{ first: ['*.bin', '**/*.onnx'] }], options)
  assert.deepEqual(nested.files, ['onnx/model.onnx'])
  assert.equal(await readFile(join(nested.folder, 'onnx/model.onnx'), 'utf8'), 'onnx')
  assert.equal(await readlink(join(nested.folder, 'onnx/model.onnx')).then((to) => to.slice(0, 15)), '../../../blobs/')
  assert.equal((await resolveFiles(join(cache, 'snapshots', COMMIT), ['**'], { environment: {} })).files.length, 1)
  await assert.rejects(resolveFiles('./nowhere', [], options), failsWith('file-not-found', /no folder \.\/nowhere/))
  await assert.rejects(
    resolveFiles('a b', [], options),
    failsWith('repository-not-found', /neither a folder nor the id/),
  )
})

test('a download goes on where it stopped: dropped, silent, refused for a while, in another process', async (t) => {
  const { hub, cache, options, weights } = await setUp(t)
  hub.faults['model.safetensors'] = ['drop', 503, 'stall', 429, 'drop']
  const { folder } = await resolveFiles('org/tiny', ['model.safetensors'], options)
  assert.deepEqual(await readFile(join(folder, 'model.safetensors')), weights)
  const ranges = hub.requests(/safetensors/).map(({ range }) => Number(range?.match(/\d+/)?.[0] ?? 0))
  assert.deepEqual(ranges, [0, 100_000, 100_000, 150_000, 150_000, 175_000])
  // Left by a killed process.
  const large = randomBytes(1000)
  const file = { content: large, large: true }
  hub.repositories['org/tiny'].files['more.bin'] = file
  await writeFile(join(cache, 'blobs', `${hashOf(file)}.kaimo.incomplete`), large.subarray(0, 600))
  await resolveFiles('org/tiny', ['more.bin'], options)
  assert.deepEqual(
    hub.requests(/more/).map(({ range }) => range),
    ['bytes=600-'],
  )
  assert.deepEqual(await readFile(join(folder, 'more.bin')), large)
})

test('servers that ignore ranges or send others still give the right content', async (t) => {
  const { hub, options, weights } = await setUp(t)
  hub.faults['model.safetensors'] = ['drop', 'ignore-range']
  const { folder } = await resolveFiles('org/tiny', ['model.safetensors'], options)
  assert.deepEqual(await readFile(join(folder, 'model.safetensors')), weights)
  hub.faults['onnx/model.onnx'] = ['drop', 'wrong-range']
  await resolveFiles('org/tiny', ['onnx/*'], options)
  assert.deepEqual(
    hub.requests(/onnx/).map(({ range }) => range),
    [undefined, 'bytes=2-', undefined],
  )
  assert.equal(await readFile(join(folder, 'onnx/model.onnx'), 'utf8'), 'onnx')
})

test('content with another hash is fetched once more, and then refused', async (t) => {
  const { hub, cache, options, weights } = await setUp(t)
  hub.faults['model.safetensors'] = ['wrong-content']
  const { folder } = await resolveFiles('org/tiny', ['model.safetensors'], options)
  assert.deepEqual(await readFile(join(folder, 'model.safetensors')), weights)
  hub.faults['config.json'] = ['wrong-content', 'wrong-content']
  const damaged = failsWith(
    'damaged',
    /config\.json of org\/tiny arrived with another content.*expected the hash [0-9a-f]{40}, got/,
  )
  await assert.rejects(resolveFiles('org/tiny', ['config.json'], options), damaged)
  hub.faults['onnx/model.onnx'] = ['too-much']
  await assert.rejects(
    resolveFiles('org/tiny', ['onnx/*'], options),
    failsWith('damaged', /more bytes arrive than the 4 announced/),
  )
  assert.deepEqual(await readdir(join(folder)), ['model.safetensors'])
  assert.ok(!(await readdir(join(cache, 'blobs'))).includes(hashOf({ content: CONFIG })))
})

test('the token goes to the hub only, not to where it redirects', async (t) => {
  const { hub, options } = await setUp(t)
  hub.repositories['org/tiny'].token = 'hf_secret'
  await assert.rejects(
    resolveFiles('org/tiny', ['config.json'], options),
    failsWith('repository-not-found', /or it is private; no token was sent: set HF_TOKEN/),
  )
  await resolveFiles('org/tiny', ['**'], { ...options, token: 'hf_secret' })
  const sent = (host: string) => new Set(hub.seen.filter((seen) => seen.host === host).map(({ token }) => token))
  assert.deepEqual(sent('hub'), new Set([undefined, 'hf_secret']))
  assert.deepEqual(sent('store'), new Set([undefined]))
})

test('errors say what is wrong', async (t) => {
  const { hub, options } = await setUp(t)
  hub.repositories['org/gated'] = { commit: COMMIT, files: {}, gated: true }
  hub.repositories['org/evil'] = { commit: COMMIT, files: { '../../evil': { content: CONFIG } } }
  const cases: [string, string[], HubOptions, string, RegExp][] = [
    ['org/none', [], options, 'repository-not-found', /there is no repository org\/none at http/],
    [
      'org/gated',
      [],
      { ...options, token: 'x' },
      'gated',
      /org\/gated is gated: ask for access at http.*org\/gated; the token/,
    ],
    [
      'org/tiny',
      [],
      { ...options, revision: 'dev' },
      'revision-not-found',
      /org\/tiny has no branch, tag or commit "dev"/,
    ],
    ['org/tiny', [], { ...options, revision: '../x' }, 'revision-not-found', /cannot be a branch/],
    ['org/tiny', ['cofig.json'], options, 'file-not-found', /has no file cofig\.json; near it: config\.json/],
    [
      'org/tiny',
      ['model.safetensor'],
      options,
      'file-not-found',
      /near it: model\.safetensors, model\.onnx|near it: model\.safetensors/,
    ],
    ['org/evil', [], options, 'unsafe', /lists a file "\.\.\/\.\.\/evil", which is no safe path/],
    [
      'org/tiny',
      [],
      { ...options, offline: true },
      'offline',
      /org\/tiny at main is not in the cache .* downloads are off/,
    ],
  ]
  for (const [id, patterns, chosen, code, message] of cases) {
    await assert.rejects(resolveFiles(id, patterns, chosen), failsWith(code, message))
  }
  hub.faults['config.json'] = [503, 503, 503]
  await assert.rejects(
    resolveFiles('org/tiny', ['config.json'], options),
    failsWith('network', /config\.json of org\/tiny: given up after 3 failed attempts \(.* answered 503\)/),
  )
  hub.faults['config.json'] = [404]
  await assert.rejects(
    resolveFiles('org/tiny', ['config.json'], options),
    failsWith('file-not-found', /has no file config\.json/),
  )
})

test('a disk without room is noticed before and during a download, and what arrived is kept', async (t) => {
  const { cache, options, weights } = await setUp(t)
  const statfs = (async () => ({ bavail: 1, bsize: 4096 })) as unknown as typeof nodeFiles.statfs
  await assert.rejects(
    resolveFiles('org/tiny', ['model.safetensors'], { ...options, files: { ...nodeFiles, statfs } }),
    failsWith('no-space', /no space left on the disk for model\.safetensors of org\/tiny \(200000 bytes\)/),
  )
  const { files } = fullDisk(70_000)
  await assert.rejects(
    resolveFiles('org/tiny', ['model.safetensors'], { ...options, files: { ...nodeFiles, ...files } }),
    failsWith('no-space', /what has arrived is kept/),
  )
  const [partial] = await readdir(join(cache, 'blobs'))
  assert.match(partial, /\.kaimo\.incomplete$/)
  assert.equal((await lstat(join(cache, 'blobs', partial))).size, 70_000)
  const { folder } = await resolveFiles('org/tiny', ['model.safetensors'], options)
  assert.deepEqual(await readFile(join(folder, 'model.safetensors')), weights)
})

test('offline, and with the hub out of reach, what is cached serves', async (t) => {
  const { hub, options } = await setUp(t)
  await resolveFiles('org/tiny', ['config.json'], options)
  const offline = await resolveFiles('org/tiny', ['config.json'], { ...options, environment: { HF_HUB_OFFLINE: '1' } })
  assert.deepEqual(offline.files, ['config.json'])
  await assert.rejects(
    resolveFiles('org/tiny', ['model.safetensors'], { ...options, offline: true }),
    failsWith('file-not-found', /the cached org\/tiny has no file model\.safetensors/),
  )
  await hub.stop()
  const notes: string[] = []
  const stale = await resolveFiles('org/tiny', ['config.json'], {
    ...options,
    retries: 1,
    onNote: (note) => notes.push(note),
  })
  assert.equal(stale.commit, COMMIT)
  assert.match(notes[0], /cannot be reached .*: using the cached org\/tiny of aaaaaaa/)
  await assert.rejects(
    resolveFiles('org/tiny', ['model.safetensors'], { ...options, retries: 1 }),
    failsWith('network', /org\/tiny cannot be downloaded from http/),
  )
})

test('a branch that moves is noticed, and unchanged files are not fetched again', async (t) => {
  const { hub, cache, options } = await setUp(t)
  await resolveFiles('org/tiny', ['**'], options)
  const next = 'b'.repeat(40)
  hub.repositories['org/tiny'].commit = next
  hub.repositories['org/tiny'].files['config.json'] = { content: Buffer.from('{}') }
  const { folder, commit } = await resolveFiles('org/tiny', ['**'], options)
  assert.equal(commit, next)
  assert.equal(await readFile(join(folder, 'config.json'), 'utf8'), '{}')
  assert.equal(hub.requests(/safetensors/).length, 1)
  assert.deepEqual((await readdir(join(cache, 'snapshots'))).sort(), [COMMIT, next])
})

test('hubs whose list says no hashes are asked file by file', async (t) => {
  const { hub, cache, options, weights } = await setUp(t)
  hub.listsHashes = false
  const { folder } = await resolveFiles('org/tiny', ['config.json', 'model.safetensors'], options)
  assert.deepEqual(await readFile(join(folder, 'model.safetensors')), weights)
  assert.ok((await readdir(join(cache, 'blobs'))).includes(hashOf({ content: CONFIG })))
  assert.equal(hub.seen.filter(({ method }) => method === 'HEAD').length, 2)
})

test('shards come together, a few at a time, each with its progress', async (t) => {
  const { hub, options } = await setUp(t)
  const { files } = hub.repositories['org/tiny']
  delete files['model.safetensors']
  const names = Array.from({ length: 6 }, (_, i) => `model-0000${i + 1}-of-00006.safetensors`)
  for (const name of names) files[name] = { content: randomBytes(5000), large: true }
  const map = Object.fromEntries(names.map((name, i) => [`w${i}`, name]))
  files['model.safetensors.index.json'] = { content: Buffer.from(JSON.stringify({ weight_map: map })) }
  hub.delay = 30
  const progress: HubProgress[] = []
  const folder = await resolveModelFiles('org/tiny', {
    ...options,
    concurrency: 3,
    onProgress: (p) => progress.push(p),
  })
  for (const name of names) assert.deepEqual(await readFile(join(folder, name)), files[name].content)
  assert.ok(hub.mostRunning >= 2 && hub.mostRunning <= 3, `${hub.mostRunning} at once`)
  for (const name of names) {
    const own = progress.filter(({ file }) => file === name)
    assert.deepEqual([own[0].bytes, own.at(-1)?.bytes, own[0].files], [0, 5000, 6])
  }
  assert.equal(progress.at(-1)?.filesDone, 6)
})

test('two callers at once fetch a file once', async (t) => {
  const { hub, options } = await setUp(t)
  hub.delay = 50
  await Promise.all([1, 2, 3].map(() => resolveFiles('org/tiny', ['model.safetensors'], options)))
  assert.equal(hub.requests(/safetensors/).length, 1)
  assert.deepEqual(await readdir(join(options.cacheDir, '.locks', 'models--org--tiny')), [])
})

test('an abort ends every transfer at once and leaves no half-written file under its name', async (t) => {
  const { hub, cache, options } = await setUp(t)
  hub.faults['model.safetensors'] = ['stall']
  const stop = new AbortController()
  const onProgress = ({ bytes, file }: HubProgress) => {
    if (file === 'model.safetensors' && bytes > 0) stop.abort(new Error('enough'))
  }
  await assert.rejects(
    resolveFiles('org/tiny', ['**'], { ...options, timeout: 60_000, signal: stop.signal, onProgress }),
    /enough/,
  )
  const there = await lstat(join(cache, 'snapshots', COMMIT, 'model.safetensors')).catch(() => null)
  assert.equal(there, null)
  await resolveFiles('org/tiny', ['**'], options)
})

test('environment variables and token files are those of Python', async (t) => {
  const { hub, options } = await setUp(t)
  const home = await temporaryDirectory(t)
  await mkdir(join(home, 'hub'))
  await writeFile(join(home, 'token'), 'hf_file\n')
  hub.repositories['org/tiny'].token = 'hf_file'
  const environment = { HF_HOME: home, HF_ENDPOINT: `${hub.endpoint}/` }
  const found = await resolveFiles('org/tiny', ['config.json'], { environment, revision: 'refs/pr/1' })
  assert.equal(found.folder, join(home, 'hub', 'models--org--tiny', 'snapshots', COMMIT))
  assert.equal(await readFile(join(home, 'hub/models--org--tiny/refs/refs/pr/1'), 'utf8'), COMMIT)
  const elsewhere = { ...environment, HF_HUB_CACHE: options.cacheDir, HF_TOKEN: 'hf_file', HF_TOKEN_PATH: '/nowhere' }
  const second = await resolveFiles('org/tiny', ['config.json'], { environment: elsewhere })
  assert.ok(second.folder.startsWith(options.cacheDir))
  await assert.rejects(
    resolveFiles('org/tiny', [], { environment: { ...environment, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' } }),
  )
})
