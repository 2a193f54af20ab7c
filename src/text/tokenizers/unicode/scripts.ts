import { codePointMap, lazy } from './ranges.js'
import { SCRIPTS } from './scripts-table.js'

/** No script: unassigned, or a space. */
export const ANY_SCRIPT = 0

const scripts = lazy(() => codePointMap(SCRIPTS, 1))
const HAN = 36
const HIRAGANA = 33
const KATAKANA = 34

/** A number for the script, as SentencePiece groups them: kana and the prolonged sound mark count as Han, a space as any. */
export function scriptOf(c: number): number {
  if (c === 0x20) return ANY_SCRIPT
  if (c === 0x30fc) return HAN
  const script = scripts()[c]
  return script === HIRAGANA || script === KATAKANA ? HAN : script
}
