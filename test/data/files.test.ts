import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fromCsv, fromFolder, fromIdx, fromJsonl, streamCsv, streamJsonl } from '../../src/data/index.node.js'
import { FileError } from '../../src/formats/index.node.js'
import { temporaryDirectory } from '../unit/formats/helpers.js'

test('CSV columns are chosen, typed and named', async (t) => {
  const path = join(await temporaryDirectory(t), 'train.csv')
  await writeFile(path, '\ufefflabel,review,score,ok\r\n1,"他说""好"",\n很好", 0.5,true\r\n\r\n0,差,1e3,0\r\n')
  const data = await fromCsv(path, { columns: { review: 'string', label: 'integer', score: 'number', ok: 'boolean' } })
  assert.equal(data.length, 2)
  const rows: { review: string; label: number; score: number; ok: boolean }[] = await data.toArray()
  assert.deepEqual(rows, [
    { review: '他说"好",\n很好', label: 1, score: 0.5, ok: true },
    { review: '差', label: 0, score: 1000, ok: false },
  ])
  const streamed = streamCsv(path, { columns: { label: 'bigint' } })
  assert.deepEqual(await streamed.toArray(), [{ label: 1n }, { label: 0n }])
  assert.deepEqual(await streamed.toArray(), [{ label: 1n }, { label: 0n }])
  assert.deepEqual(await (await fromCsv(path, { limit: 1 })).map(({ label }) => label).toArray(), ['1'])
})

test('CSV without a header, TSV without quotes, comments and missing values', async (t) => {
  const directory = await temporaryDirectory(t)
  const path = join(directory, 'a.tsv')
  await writeFile(path, '# note\n"a\t1\n b\t\n')
  const options = {
    header: ['text', 'n'],
    columns: { text: 'string', n: 'number' },
    quote: null,
    comment: '#',
    missing: { n: -1 },
  } as const
  assert.deepEqual(await (await fromCsv(path, options)).toArray(), [
    { text: '"a', n: 1 },
    { text: ' b', n: -1 },
  ])
  assert.deepEqual(await (await fromCsv(path, { header: false, quote: null, comment: '#' })).first(), {
    0: '"a',
    1: '1',
  })
  await writeFile(path, 'a\n')
  assert.equal((await fromCsv(path)).length, 0)
})

test('CSV faults name file, line and column', async (t) => {
  const path = join(await temporaryDirectory(t), 'bad.csv')
  const faults: [string, object, RegExp][] = [
    ['a,b\n\n1,"x\ny",3\n', {}, /bad\.csv line 3: expected 2 fields, got 3/],
    ['a,b\n1,"x\ny"\n2\n', {}, /bad\.csv line 4: expected 2 fields, got 1/],
    ['a\n1\nx\n', { columns: { a: 'integer' } }, /bad\.csv line 3: column "a": expected an integer, got "x"/],
    ['a\n1.5\n', { columns: { a: 'integer' } }, /expected an integer, got "1\.5"/],
    ['a,b\n1,\n', { columns: { b: 'number' } }, /line 2: column "b": expected a number, got ""/],
    ['a\n0x10\n', { columns: { a: 'number' } }, /expected a number, got "0x10"/],
    ['a\nyes\n', { columns: { a: 'boolean' } }, /expected a boolean, got "yes"/],
    ['a,b\n1,2\n', { columns: { c: 'string' } }, /bad\.csv: expected a column "c", the file has "a", "b"/],
    ['a,a\n1,2\n', {}, /line 1: the column "a" occurs twice/],
    ['a\n"open\n', {}, /bad\.csv: Quote Not Closed: .* line 2/],
    ['a\n1\n', { columns: { a: 'date' } }, /expected a type of string, number, .* got "date"/],
  ]
  for (const [text, options, message] of faults) {
    await writeFile(path, text)
    await assert.rejects(fromCsv(path, options), message)
    await assert.rejects(streamCsv(path, options).toArray(), message)
  }
  await assert.rejects(fromCsv(join(path, 'none')), FileError)
  await writeFile(path, 'a\n1\n2\n')
  const failing = streamCsv(path).map(({ a }) => {
    if (a === '2') throw new Error('two')
    return a
  })
  await assert.rejects(failing.toArray(), /bad\.csv line 3: map function: two/)
})

test('an abort and an early end stop reading a CSV file', async (t) => {
  const path = join(await temporaryDirectory(t), 'long.csv')
  await writeFile(path, `a\n${'1\n'.repeat(100_000)}`)
  const stop = new AbortController()
  const onProgress = () => stop.abort(new Error('enough'))
  await assert.rejects(fromCsv(path, { signal: stop.signal, onProgress }), /enough/)
  assert.deepEqual(await streamCsv(path).take(2).toArray(), [{ a: '1' }, { a: '1' }])
})

test('JSONL rows are read, checked and named', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.jsonl')
  await writeFile(path, '{"text":"a\u2028b"}\n\n{"text":"c"}\n')
  assert.deepEqual(await (await fromJsonl(path)).toArray(), [{ text: 'a\u2028b' }, { text: 'c' }])
  const parse = (value: unknown) => {
    const { text } = value as { text: string }
    if (text === 'c') throw new TypeError('no c here')
    return text
  }
  assert.deepEqual(await streamJsonl(path, { parse, limit: 1 }).toArray(), ['a\u2028b'])
  await assert.rejects(fromJsonl(path, { parse }), /a\.jsonl line 3: not as expected: no c here/)
  await writeFile(path, '{"a":1}\n{"a":\n')
  await assert.rejects(fromJsonl(path), /a\.jsonl line 2: not valid JSON/)
  await assert.rejects(streamJsonl(path).toArray(), /a\.jsonl line 2: not valid JSON/)
})

test('IDX images and labels make rows', async (t) => {
  const directory = await temporaryDirectory(t)
  const [images, labels] = [join(directory, 'images'), join(directory, 'labels')]
  await writeFile(images, Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4))
  await writeFile(labels, Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 9, 5))
  const data = await fromIdx(images, labels)
  assert.deepEqual(await data.skip(1).first(), {
    x: { dtype: 'u8', shape: [1, 2], data: Uint8Array.of(3, 4) },
    y: { dtype: 'i32', shape: [], data: Int32Array.of(5) },
  })
  await assert.rejects(data.map(() => Promise.reject(new Error('x'))).toArray(), /images item 0: map function: x/)
  await writeFile(labels, Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 9))
  await assert.rejects(fromIdx(images, labels), /has 2 images, .*labels has 1 labels/)
  await assert.rejects(fromIdx(labels, labels), /expected images with at least 2 axes, got shape \[1\]/)
})

test('folders name classes', async (t) => {
  const directory = await temporaryDirectory(t)
  for (const [folder, name] of [
    ['b', '2.TXT'],
    ['b', '1.txt'],
    ['a/deep', '3.txt'],
    ['a', '.hidden'],
    ['c', 'x.png'],
  ]) {
    await mkdir(join(directory, folder), { recursive: true })
    await writeFile(join(directory, folder, name), `in ${folder}`)
  }
  const data = await fromFolder(directory, { extensions: ['.txt'] })
  assert.deepEqual(data.classes, ['a', 'b'])
  const rows = await data.toArray()
  assert.deepEqual(
    rows.map(({ path, label }) => [path.slice(directory.length), label]),
    [
      ['/a/deep/3.txt', 0],
      ['/b/1.txt', 1],
      ['/b/2.TXT', 1],
    ],
  )
  assert.equal(Buffer.from(rows[0].bytes).toString(), 'in a/deep')
  await assert.rejects(fromFolder(directory, { extensions: ['.wav'] }), /no files that end in \.wav/)
  await assert.rejects(
    fromFolder(join(directory, 'b')),
    /1\.txt: expected a folder that names its class|2\.TXT: expected a folder/,
  )
  assert.equal((await fromFolder(join(directory, 'b'), { labelsFromFolders: false })).length, 2)
  await assert.rejects(fromFolder(join(directory, 'none')), /none: no such file or directory/)
})
