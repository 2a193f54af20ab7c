// Builds dist/: declarations by tsc, JavaScript by esbuild. What the package's entries share goes into common chunks, so that importing it
// reads a handful of files instead of hundreds; every entry sees the same classes.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const out = process.argv[2] ?? join(root, 'dist')

/** Source files of everything that package.json exports. */
function entries() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const built = Object.values(exports).flatMap((entry) =>
    typeof entry === 'string' ? [] : [entry.browser, entry.default],
  )
  const sources = built.filter(Boolean).map((path) => path.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts'))
  return [...new Set(sources)].sort()
}

rmSync(out, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: entries(),
  outdir: out,
  outbase: 'src',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  target: 'es2022',
  chunkNames: 'chunks/[name]-[hash]',
  sourcemap: true,
  ignoreAnnotations: true,
  logLevel: 'warning',
})
const tsc = join(root, 'node_modules/typescript/bin/tsc')
const declarations = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', out]
const { status } = spawnSync(process.execPath, [tsc, ...declarations], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
