import { NUMBER_FILTERS } from './numbers.js'
import { SEQUENCE_FILTERS } from './sequences.js'
import { TEXT_FILTERS } from './text.js'
import type { Filter } from './types.js'

export type { Environment, Filter } from './types.js'

/** jinja2's filters by name. */
export const FILTERS: Readonly<Record<string, Filter>> = { ...TEXT_FILTERS, ...NUMBER_FILTERS, ...SEQUENCE_FILTERS }
