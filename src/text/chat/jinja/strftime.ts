// Reference: Python's datetime.strftime in the C locale, of a local time without a zone.

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const two = (n: number): string => String(n).padStart(2, '0')
const hour12 = (d: Date): number => d.getHours() % 12 || 12

/** Days since 1 January, from 0. */
const dayOfYear = (d: Date): number =>
  Math.round((Date.UTC(d.getFullYear(), d.getMonth(), d.getDate()) - Date.UTC(d.getFullYear(), 0, 1)) / 86_400_000)

const week = (d: Date, firstDay: number): number =>
  Math.floor((dayOfYear(d) + 7 - ((d.getDay() - firstDay + 7) % 7)) / 7)

/** ISO 8601 year and week. */
function isoWeek(d: Date): [number, number] {
  const thursday = new Date(Date.UTC(d.getFullYear(), d.getMonth(), d.getDate() + 4 - (d.getDay() || 7)))
  const start = Date.UTC(thursday.getUTCFullYear(), 0, 1)
  return [thursday.getUTCFullYear(), Math.floor((thursday.getTime() - start) / 604_800_000) + 1]
}

const DIRECTIVES: Readonly<Record<string, (d: Date) => string>> = {
  a: (d) => DAYS[d.getDay()].slice(0, 3),
  A: (d) => DAYS[d.getDay()],
  w: (d) => String(d.getDay()),
  u: (d) => String(d.getDay() || 7),
  d: (d) => two(d.getDate()),
  e: (d) => String(d.getDate()).padStart(2, ' '),
  b: (d) => MONTHS[d.getMonth()].slice(0, 3),
  h: (d) => MONTHS[d.getMonth()].slice(0, 3),
  B: (d) => MONTHS[d.getMonth()],
  m: (d) => two(d.getMonth() + 1),
  y: (d) => two(d.getFullYear() % 100),
  Y: (d) => String(d.getFullYear()),
  C: (d) => two(Math.floor(d.getFullYear() / 100)),
  G: (d) => String(isoWeek(d)[0]),
  V: (d) => two(isoWeek(d)[1]),
  U: (d) => two(week(d, 0)),
  W: (d) => two(week(d, 1)),
  j: (d) => String(dayOfYear(d) + 1).padStart(3, '0'),
  H: (d) => two(d.getHours()),
  k: (d) => String(d.getHours()).padStart(2, ' '),
  I: (d) => two(hour12(d)),
  l: (d) => String(hour12(d)).padStart(2, ' '),
  M: (d) => two(d.getMinutes()),
  S: (d) => two(d.getSeconds()),
  f: (d) => String(d.getMilliseconds() * 1000).padStart(6, '0'),
  p: (d) => (d.getHours() < 12 ? 'AM' : 'PM'),
  P: (d) => (d.getHours() < 12 ? 'am' : 'pm'),
  s: (d) => String(Math.floor(d.getTime() / 1000)),
  z: () => '',
  Z: () => '',
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
  c: (d) => strftime(d, '%a %b %e %H:%M:%S %Y'),
  x: (d) => strftime(d, '%m/%d/%y'),
  D: (d) => strftime(d, '%m/%d/%y'),
  X: (d) => strftime(d, '%H:%M:%S'),
  T: (d) => strftime(d, '%H:%M:%S'),
  R: (d) => strftime(d, '%H:%M'),
  F: (d) => strftime(d, '%Y-%m-%d'),
  r: (d) => strftime(d, '%I:%M:%S %p'),
}

/** A local time by a format of %-directives; '%-d' leaves out padding. Unknown directives stand as they are. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%([-_^]?)([\s\S])/g, (whole, flag: string, directive: string) => {
    const text = Object.hasOwn(DIRECTIVES, directive) ? DIRECTIVES[directive](date) : null
    if (text === null) return whole
    if (flag === '-') return text.replace(/^[0 ]+(?=.)/, '')
    if (flag === '_') return text.replace(/^0+(?=.)/, (zeros) => ' '.repeat(zeros.length))
    return flag === '^' ? text.toUpperCase() : text
  })
}
