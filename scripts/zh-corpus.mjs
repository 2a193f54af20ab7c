// Chinese texts for pre-training, one document a line, from the data sets below a folder. Test parts are left out.
// usage: node scripts/zh-corpus.mjs DATA OUT     (DATA holds text/zh_chnsenticorp_htl/..., as docs/results.md lists them)
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [data, out] = process.argv.slice(2)
if (!data || !out) {
  console.error('usage: node scripts/zh-corpus.mjs DATA OUT')
  process.exit(2)
}
const read = (...path) => readFileSync(join(data, 'text', ...path), 'utf8').replace(/^\ufeff/, '')
const lines = (text) => text.split(/\r?\n/)

/** FNV-1a-32 of a text's UTF-8 bytes: what splits are made by. */
function fnv1a(text) {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
const isTest = (text) => fnv1a(text) % 10 === 0

/** Values of a CSV file with quoted fields, row by row. */
function* csvRows(text) {
  let row = []
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === ',') continue
    yield row
    row = []
    if (end === '') return
  }
}

/** Sentences of a CoNLL text: the first column's characters, `pick` taking one from what stands there. */
const sentences = (text, pick) =>
  text.split(/\r?\n\r?\n/).map((block) =>
    lines(block)
      .map((line) => pick(line.split('\t')[0]))
      .join(''),
  )

const SOURCES = {
  hotel: () =>
    [...csvRows(read('zh_chnsenticorp_htl', 'ChnSentiCorp_htl_all.csv'))]
      .slice(1)
      .map(([, review]) => review ?? '')
      .filter((review) => review.trim() !== '' && !isTest(review)),
  titles: () => lines(read('zh_thucnews_titles10', 'dev.txt')).map((line) => line.split('\t')[0]),
  tnews: () =>
    lines(read('zh_fewclue_tnews', 'unlabeled.json'))
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).sentence),
  cmrc: () =>
    JSON.parse(read('qa_zh_cmrc2018', 'cmrc2018_dev.json')).data.flatMap(({ paragraphs }) =>
      paragraphs.map(({ context }) => context),
    ),
  msra: () => {
    const zip = join(data, 'text', 'ner_zh_msra', 'dh_msra.zip')
    const text = execFileSync('unzip', ['-p', zip], { encoding: 'utf8', maxBuffer: 1 << 28 })
    return sentences(text, (word) => word).filter((sentence) => !isTest(sentence))
  },
  weibo: () => sentences(read('ner_zh_weibo', 'weiboNER_2nd_conll.train'), (word) => [...word][0] ?? ''),
  tatoeba: () => lines(read('mt_tatoeba_en_zh', 'cmn.txt')).map((line) => line.split('\t')[1] ?? ''),
}

mkdirSync(out, { recursive: true })
for (const [name, texts] of Object.entries(SOURCES)) {
  const documents = texts()
    .map((text) => text.replace(/\s+/g, ' ').trim())
    .filter((text) => text !== '')
  const characters = documents.reduce((sum, text) => sum + [...text].length, 0)
  writeFileSync(join(out, `${name}.txt`), `${documents.join('\n')}\n`)
  console.log(`${name}.txt: ${documents.length} documents, ${characters} characters`)
}
