#!/usr/bin/env node
import { existsSync } from 'node:fs'
import module from 'node:module'

// Node 22 and later keep compiled code between runs.
module.enableCompileCache?.()

const built = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(built)) {
  const { runCli } = await import(built.href)
  await runCli(process.argv.slice(2))
} else {
  // A checkout that was not built: the sources run through tsx.
  const { register } = await import('tsx/esm/api')
  register()
  const { runCli } = await import(new URL('../src/cli/main.ts', import.meta.url).href)
  await runCli(process.argv.slice(2))
}
