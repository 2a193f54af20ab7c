import { SecurityError } from './errors.js'

const MAX_WORK = 1 << 25

// Rendering is synchronous, so that one counter serves: it starts anew with every template.
let spent = 0

export function startWork(): void {
  spent = 0
}

/** Counts work: items looked at or made, or so many characters. @throws SecurityError where a template asks for too much. */
export function spend(amount: number): void {
  spent += amount
  if (spent > MAX_WORK) throw new SecurityError(`a template may not do more than ${MAX_WORK} units of work`)
}

/** Characters of one unit of work. */
const CHARACTERS = 32

export const spendText = (text: string): void => spend(text.length / CHARACTERS)
