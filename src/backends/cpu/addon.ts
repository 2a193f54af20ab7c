import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { TypedArray } from '../../ir/index.js'
import { warnIfStale } from './stale.js'

/** An opaque compiled program. */
export type NativeProgram = { readonly native: unique symbol }

/** [status, instruction, operand, index, limit]; undefined when all went well. */
export type NativeFailure =
  | readonly [status: number, instruction: number, operand: number, index: number, limit: number]
  | undefined

export interface NativeInfo {
  readonly isa: string
  readonly threads: number
  readonly cores: number
  readonly kernels: readonly string[]
  readonly opcodes: readonly string[]
}

/** What native/addon/addon.cpp exports. */
export interface NativeAddon {
  /** The first call in the process decides; '' and 0 leave the choice to the addon. */
  start(isa: string, threads: number): NativeInfo
  compile(code: Float64Array, constants: Uint8Array): NativeProgram
  run(program: NativeProgram, buffers: readonly TypedArray[], stop: Int32Array): Promise<NativeFailure>
  runSync(program: NativeProgram, buffers: readonly TypedArray[]): NativeFailure
  alignment(array: TypedArray): number
  arenaBytes(): number
  /** What the spans of a profile call this program. */
  programId(program: NativeProgram): number
  /** Records the next `limit` kernels. */
  startProfile(limit: number): void
  /** [program, instruction, start, duration], times in nanoseconds, for each kernel that ran since. */
  stopProfile(): Float64Array
  /** Part of an open file as memory; null where mapping is not possible. @throws Error with code KAIMO_SHORT where the file is shorter */
  mapFile(descriptor: number, start: number, bytes: number): ArrayBuffer | null
}

/** The native addon cannot be used; the message says why. */
export class NativeUnavailableError extends Error {
  override name = 'NativeUnavailableError'
}

const threadsFrom = (text: string | undefined): number => {
  if (text === undefined || text === '') return 0
  const threads = Number(text)
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new RangeError(`KAIMO_THREADS must be an integer from 1 to 256, got '${text}'`)
  }
  return threads
}

/** build/kaimo.node of the package: three folders up from the sources, fewer from where a build puts this module. */
function addonPath(): string {
  const candidates = ['../../../', '../../', '../'].map((up) =>
    fileURLToPath(new URL(`${up}build/kaimo.node`, import.meta.url)),
  )
  return candidates.find((candidate) => existsSync(candidate)) ?? candidates[0]
}

/**
 * Loads and starts the addon; warns where its sources changed since it was built. KAIMO_ISA and KAIMO_THREADS override its choices; KAIMO_ADDON names another file.
 * @throws NativeUnavailableError where it was not built or the processor lacks what it needs.
 * @throws Error when an override cannot run here.
 */
export function loadAddon(env: NodeJS.ProcessEnv = process.env): { addon: NativeAddon; info: NativeInfo } {
  const path = env.KAIMO_ADDON || addonPath()
  if (!existsSync(path)) {
    throw new NativeUnavailableError(
      `the native addon was not built (${path} is missing); install g++ or clang++ and run "npm run build:native"`,
    )
  }
  warnIfStale(path)
  let addon: NativeAddon
  try {
    addon = createRequire(import.meta.url)(path) as NativeAddon
  } catch (error) {
    throw new NativeUnavailableError(
      `the native addon does not load: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  try {
    return { addon, info: addon.start(env.KAIMO_ISA ?? '', threadsFrom(env.KAIMO_THREADS)) }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'KAIMO_PROCESSOR')
      throw new NativeUnavailableError(error.message)
    throw error
  }
}
