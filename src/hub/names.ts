import { HubError } from './errors.js'

/** `name` or `owner/name`: letters, digits, `-`, `_`, `.`, not starting or ending with `-` or `.`, no `--` or `..`. */
const REPOSITORY = /^(?:[\w.-]+\/)?[\w.-]+$/
const SEGMENT = /^(?![.-])(?!.*(?:--|\.\.))[\w.-]{1,96}(?<![.-])$/

export const isRepositoryId = (id: string): boolean =>
  REPOSITORY.test(id) && id.split('/').every((segment) => SEGMENT.test(segment)) && !id.endsWith('.git')

/** Whether a text can only mean a path: it starts like one, or has more parts than a repository's name. */
export const looksLikePath = (text: string): boolean =>
  /^(?:\.{0,2}[\\/]|\.{1,2}$|~|[A-Za-z]:[\\/])/.test(text) || text.includes('\\') || text.split('/').length > 2

/** Folder of a repository in the cache. Source: huggingface_hub, `repo_folder_name`. */
export const repositoryFolder = (id: string): string => ['models', ...id.split('/')].join('--')

/** A branch, a tag or a commit: may hold `/`, but cannot leave the folder of references. */
export function checkRevision(revision: string): string {
  const parts = revision.split('/')
  if (
    revision === '' ||
    parts.some((part) => part === '' || part === '.' || part === '..') ||
    /[\\\p{Cc}?#]/u.test(revision)
  ) {
    throw new HubError('revision-not-found', `${JSON.stringify(revision)} cannot be a branch, tag or commit`)
  }
  return revision
}

export const isCommit = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision)

/** A file's path inside a repository is joined to a folder here, so it must stay inside. @throws HubError */
export function checkFileName(name: string): string {
  const parts = name.split('/')
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || /[\\:\p{Cc}]/u.test(name)
  if (bad) throw new HubError('unsafe', `the repository lists a file ${JSON.stringify(name)}, which is no safe path`)
  return name
}

/** `*` stands for any characters but `/`, `**` for any, `?` for one. */
export function matcher(pattern: string): (name: string) => boolean {
  if (!/[*?]/.test(pattern)) return (name) => name === pattern
  const source = pattern.replace(/\*\*\/?|[*?]|[^*?]+/g, (part) => {
    if (part.startsWith('**')) return '.*'
    if (part === '*') return '[^/]*'
    return part === '?' ? '[^/]' : part.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  })
  const expression = new RegExp(`^${source}$`, 's')
  return (name) => expression.test(name)
}

/** Number of single-character edits between two texts. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]
}

/** Those of `names` that someone may have meant by `wanted`, the nearest first. */
export function nearNames(wanted: string, names: readonly string[], count = 3): string[] {
  const last = (name: string) => name.slice(name.lastIndexOf('/') + 1)
  return names
    .slice(0, 5000)
    .map((name) => ({
      name,
      distance: Math.min(editDistance(wanted, name), editDistance(last(wanted), last(name)) + 1),
    }))
    .filter(({ distance }) => distance <= Math.max(4, wanted.length / 2))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ name }) => name)
}
