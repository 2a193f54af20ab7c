#!/usr/bin/env node
import { existsSync } from 'node:fs'
import module from 'node:module'

// Node 22 and later keep compiled code between runs.
module.enableCompileCache?.()

const built = new URL('../dist/cli/main.js', import.meta.url)
// KAIMO_SOURCE=1 runs the sources of a checkout even where a build exists.
if (existsSync(built) && !process.env.KAIMO_SOURCE) {
  const { runCli } = await import(built.href)
  await runCli(process.argv.slice(2))
} else {
  const { register } = await import('tsx/esm/api')
  register()
  const { runCli } = await import(new URL('../src/cli/main.ts', import.meta.url).href)
  await runCli(process.argv.slice(2))
}
