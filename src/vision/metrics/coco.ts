import type { CocoAnnotation, CocoDataset, CocoDetection, CocoIouType, CocoOptions } from './coco-types.js'
import { type Mask, maskArea, maskBox, maskIou, maskOf } from './run-length.js'

// Reference: pycocotools.cocoeval.COCOeval.

export type * from './coco-types.js'

interface Shape {
  readonly area: number
  readonly box: readonly number[]
  readonly mask: Mask | null
  readonly keypoints: readonly number[]
}
interface Truth extends Shape {
  readonly crowd: boolean
  /** Counts neither way, whatever its area. */
  readonly ignore: boolean
}
interface Found extends Shape {
  readonly score: number
}

type Settings = Required<CocoOptions>

const spaced = (start: number, stop: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : i * ((stop - start) / (count - 1)) + start))

const AREAS: CocoOptions['areaRanges'] = [
  ['all', 0, 1e10],
  ['small', 0, 32 ** 2],
  ['medium', 32 ** 2, 96 ** 2],
  ['large', 96 ** 2, 1e10],
]
const SIGMAS = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89].map((sigma) => sigma / 100 / 10)

function settingsOf(dataset: CocoDataset, options: CocoOptions): Settings {
  const { iouType = 'bbox' } = options
  if (!(iouType in OVERLAPS))
    throw new RangeError(`iouType is one of ${Object.keys(OVERLAPS).join(', ')}, got '${iouType}'`)
  const sorted = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b)
  const points = iouType === 'keypoints'
  return {
    iouType,
    iouThresholds: options.iouThresholds ?? spaced(0.5, 0.95, 10),
    recallThresholds: options.recallThresholds ?? spaced(0, 1, 101),
    maxDetections: sorted(options.maxDetections ?? (points ? [20] : [1, 10, 100])),
    areaRanges: options.areaRanges ?? (points ? (AREAS ?? []).filter(([name]) => name !== 'small') : (AREAS ?? [])),
    imageIds: sorted(options.imageIds ?? dataset.images.map((image) => image.id)),
    categoryIds: sorted(options.categoryIds ?? dataset.categories.map((category) => category.id)),
    useCategories: options.useCategories ?? true,
    keypointSigmas: options.keypointSigmas ?? SIGMAS,
  }
}

/** The box around the labelled points of a detection, which stands for its area. */
function keypointBox(points: readonly number[]): number[] {
  const [xs, ys] = [0, 1].map((offset) => points.filter((_, i) => i % 3 === offset))
  const [x, y] = [Math.min(...xs), Math.min(...ys)]
  return [x, y, Math.max(...xs) - x, Math.max(...ys) - y]
}

type Sizes = ReadonlyMap<number, { readonly width?: number; readonly height?: number }>

/** Geometry of an annotation or detection. Areas of detections follow from what they are matched by. */
function geometry(item: CocoAnnotation | CocoDetection, type: CocoIouType, sizes: Sizes, where: string): Shape {
  const size = sizes.get(item.image_id)
  const { segmentation, keypoints = [] } = item
  const mask = type === 'segm' ? (segmentation ? maskOf(segmentation, size?.height, size?.width) : null) : null
  if (type === 'segm' && !mask) throw new TypeError(`${where}: expected a segmentation`)
  if (type === 'keypoints' && keypoints.length === 0) throw new TypeError(`${where}: expected keypoints`)
  const box = item.bbox ?? (mask ? maskBox(mask) : keypoints.length > 0 ? keypointBox(keypoints) : undefined)
  if (box?.length !== 4 || !box.every((value) => Number.isFinite(value)))
    throw new TypeError(`${where}: expected a bbox of 4 finite numbers, got ${JSON.stringify(item.bbox)}`)
  const own = mask ? maskArea(mask) : box[2] * box[3]
  const computed = 'score' in item && type === 'keypoints' ? keypointBox(keypoints) : null
  const area = 'score' in item ? (computed ? computed[2] * computed[3] : own) : (item.area ?? own)
  return { area, box, mask, keypoints }
}

function truthOf(item: CocoAnnotation, type: CocoIouType, sizes: Sizes, where: string): Truth {
  const crowd = Boolean(item.iscrowd)
  const labelled = item.num_keypoints ?? (item.keypoints ?? []).filter((value, i) => i % 3 === 2 && value > 0).length
  return { ...geometry(item, type, sizes, where), crowd, ignore: crowd || (type === 'keypoints' && labelled === 0) }
}

type Overlap = (found: Found, truth: Truth, settings: Settings) => number

function boxOverlap(found: Found, { box: g, crowd }: Truth): number {
  const d = found.box
  const width = Math.min(d[0] + d[2], g[0] + g[2]) - Math.max(d[0], g[0])
  const height = Math.min(d[1] + d[3], g[1] + g[3]) - Math.max(d[1], g[1])
  if (width <= 0 || height <= 0) return 0
  const both = width * height
  return both / (crowd ? d[2] * d[3] : d[2] * d[3] + g[2] * g[3] - both)
}

/** Object keypoint similarity: mean of a Gaussian of the distance of each labelled point. */
function keypointOverlap(found: Found, truth: Truth, { keypointSigmas }: Settings): number {
  const [d, g] = [found.keypoints, truth.keypoints]
  const visible = keypointSigmas.map((_, i) => i).filter((i) => g[3 * i + 2] > 0)
  const [x, y, w, h] = truth.box
  // Without labelled points, points outside twice the box are what counts as far.
  const beyond = (value: number, from: number, to: number): number =>
    Math.max(0, from - value) + Math.max(0, value - to)
  const error = (i: number): number => {
    const [px, py] = [d[3 * i], d[3 * i + 1]]
    const dx = visible.length > 0 ? px - g[3 * i] : beyond(px, x - w, x + 2 * w)
    const dy = visible.length > 0 ? py - g[3 * i + 1] : beyond(py, y - h, y + 2 * h)
    return (dx ** 2 + dy ** 2) / (2 * keypointSigmas[i]) ** 2 / (truth.area + Number.EPSILON) / 2
  }
  const points = visible.length > 0 ? visible : keypointSigmas.map((_, i) => i)
  return points.reduce((sum, i) => sum + Math.exp(-error(i)), 0) / points.length
}

const OVERLAPS: Record<CocoIouType, Overlap> = {
  bbox: boxOverlap,
  segm: (found, truth) => (found.mask && truth.mask ? maskIou(found.mask, truth.mask, truth.crowd) : 0),
  keypoints: keypointOverlap,
}

/** Objects of one image and category. */
interface Cell {
  readonly truths: Truth[]
  /** Best score first. */
  readonly found: Found[]
}

/** How the detections of a cell fared: per IoU threshold, whether each was matched and whether it counts. */
interface Matches {
  readonly scores: number[]
  readonly matched: boolean[][]
  readonly ignored: boolean[][]
  /** Number of true objects that count. */
  readonly positives: number
}

function matchAt(
  threshold: number,
  overlaps: number[][],
  truths: readonly Truth[],
  skip: readonly boolean[],
  matched: boolean[],
  ignored: boolean[],
): void {
  const taken = truths.map(() => false)
  for (const [d, row] of overlaps.entries()) {
    let best = Math.min(threshold, 1 - 1e-10)
    let match = -1
    for (const [g, truth] of truths.entries()) {
      if (taken[g] && !truth.crowd) continue
      // Objects that count come first: one of them is not given up for one that does not.
      if (match > -1 && !skip[match] && skip[g]) break
      if (row[g] < best) continue
      best = row[g]
      match = g
    }
    if (match === -1) continue
    ignored[d] = skip[match]
    matched[d] = true
    taken[match] = true
  }
}

function matchCell(cell: Cell, overlaps: number[][], settings: Settings, from: number, to: number): Matches {
  const outside = (area: number): boolean => area < from || area > to
  const flags = cell.truths.map((truth) => truth.ignore || outside(truth.area))
  const order = cell.truths.map((_, i) => i).sort((a, b) => Number(flags[a]) - Number(flags[b]))
  const truths = order.map((i) => cell.truths[i])
  const skip = order.map((i) => flags[i])
  const rows = overlaps.map((row) => order.map((i) => row[i]))
  const [matched, ignored]: boolean[][][] = [[], []]
  for (const threshold of settings.iouThresholds) {
    const [hit, out] = [rows.map(() => false), rows.map(() => false)]
    matchAt(threshold, rows, truths, skip, hit, out)
    matched.push(hit)
    ignored.push(out.map((flag, d) => flag || (!hit[d] && outside(cell.found[d].area))))
  }
  return {
    scores: cell.found.map((found) => found.score),
    matched,
    ignored,
    positives: skip.filter((flag) => !flag).length,
  }
}

/** Precision at the recall thresholds, and the recall reached. */
function curve(
  hits: readonly boolean[],
  positives: number,
  recallThresholds: readonly number[],
): { precision: number[]; recall: number } {
  const [recalls, precisions]: number[][] = [[], []]
  let tp = 0
  for (const [i, hit] of hits.entries()) {
    if (hit) tp++
    recalls.push(tp / positives)
    precisions.push(tp / (i + 1 + Number.EPSILON))
  }
  for (let i = precisions.length - 1; i > 0; i--) precisions[i - 1] = Math.max(precisions[i - 1], precisions[i])
  let at = 0
  const precision = recallThresholds.map((threshold) => {
    while (at < recalls.length && recalls[at] < threshold) at++
    return at < precisions.length ? precisions[at] : 0
  })
  return { precision, recall: recalls[recalls.length - 1] ?? 0 }
}

/** Scores of one category, area range and number of detections: -1 where there is nothing to find. */
interface Slice {
  /** [IoU thresholds][recall thresholds]. */
  readonly precision: number[][]
  /** [IoU thresholds]. */
  readonly recall: number[]
}

function accumulate(cells: readonly Matches[], limit: number, settings: Settings): Slice | null {
  const positives = cells.reduce((sum, cell) => sum + cell.positives, 0)
  if (positives === 0) return null
  const entries = cells.flatMap((cell, c) => cell.scores.slice(0, limit).map((score, d) => ({ score, c, d })))
  entries.sort((a, b) => b.score - a.score)
  const [precision, recall]: [number[][], number[]] = [[], []]
  for (const t of settings.iouThresholds.keys()) {
    const counted = entries.filter(({ c, d }) => !cells[c].ignored[t][d])
    const result = curve(
      counted.map(({ c, d }) => cells[c].matched[t][d]),
      positives,
      settings.recallThresholds,
    )
    // Detections that count neither way leave recall and precision where they were.
    precision.push(result.precision)
    recall.push(result.recall)
  }
  return { precision, recall }
}

export interface CocoResult {
  /** AP, AP50, AP75, AP_small, ..., AR1, AR10, AR100, AR_small, ...: -1 where there is nothing to find. */
  readonly stats: Readonly<Record<string, number>>
  /** AP of each category of `categoryIds`, over all areas and the greatest number of detections. */
  readonly perCategoryAP: readonly number[]
  readonly categoryIds: readonly number[]
}

const averageOf = (values: readonly number[]): number =>
  values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0) / values.length

type Grid = (Slice | null)[][][]

function statistics(grid: Grid, settings: Settings): Record<string, number> {
  const { iouThresholds, areaRanges, maxDetections } = settings
  const last = maxDetections.length - 1
  const slices = (area: number, m: number): Slice[] => grid.flatMap((areas) => areas[area][m] ?? [])
  const precision = (area: number, threshold?: number): number => {
    const t = threshold === undefined ? -1 : iouThresholds.indexOf(threshold)
    if (threshold !== undefined && t < 0) return -1
    return averageOf(
      slices(area, last).flatMap((slice) => (threshold === undefined ? slice.precision.flat() : slice.precision[t])),
    )
  }
  const recall = (area: number, m: number, threshold?: number): number => {
    const t = threshold === undefined ? -1 : iouThresholds.indexOf(threshold)
    if (threshold !== undefined && t < 0) return -1
    return averageOf(slices(area, m).flatMap((slice) => (threshold === undefined ? slice.recall : slice.recall[t])))
  }
  const stats: Record<string, number> = { AP: precision(0), AP50: precision(0, 0.5), AP75: precision(0, 0.75) }
  for (const [a, [name]] of areaRanges.entries()) if (a > 0) stats[`AP_${name}`] = precision(a)
  if (settings.iouType === 'keypoints') {
    stats.AR = recall(0, last)
    stats.AR50 = recall(0, last, 0.5)
    stats.AR75 = recall(0, last, 0.75)
  } else for (const [m, limit] of maxDetections.entries()) stats[`AR${limit}`] = recall(0, m)
  for (const [a, [name]] of areaRanges.entries()) if (a > 0) stats[`AR_${name}`] = recall(a, last)
  return stats
}

/** Objects by image and category; all categories are one where they do not count. */
function cellsOf(dataset: CocoDataset, detections: readonly CocoDetection[], settings: Settings): Map<string, Cell> {
  const { iouType, useCategories } = settings
  const [images, categories] = [new Set(settings.imageIds), new Set(settings.categoryIds)]
  const sizes: Sizes = new Map(dataset.images.map((image) => [image.id, image]))
  const cells = new Map<string, Cell>()
  const cellOf = (item: CocoAnnotation | CocoDetection): Cell | null => {
    if (!images.has(item.image_id) || !categories.has(item.category_id)) return null
    const key = `${item.image_id}/${useCategories ? item.category_id : -1}`
    const cell = cells.get(key) ?? { truths: [], found: [] }
    cells.set(key, cell)
    return cell
  }
  for (const [i, item] of dataset.annotations.entries())
    cellOf(item)?.truths.push(truthOf(item, iouType, sizes, `annotation ${i}`))
  for (const [i, item] of detections.entries()) {
    if (!sizes.has(item.image_id))
      throw new RangeError(`detection ${i}: image ${item.image_id} is not in the ground truth`)
    if (!Number.isFinite(item.score)) throw new TypeError(`detection ${i}: expected a finite score, got ${item.score}`)
    cellOf(item)?.found.push({ ...geometry(item, iouType, sizes, `detection ${i}`), score: item.score })
  }
  const limit = settings.maxDetections[settings.maxDetections.length - 1]
  for (const cell of cells.values()) {
    cell.found.sort((a, b) => b.score - a.score)
    cell.found.length = Math.min(cell.found.length, limit)
  }
  return cells
}

/**
 * COCO's average precision and recall of boxes, masks or keypoints (pycocotools' COCOeval).
 * @throws TypeError for objects without what `iouType` needs, RangeError for detections in unknown images.
 */
export function cocoEvaluate(
  dataset: CocoDataset,
  detections: readonly CocoDetection[],
  options: CocoOptions = {},
): CocoResult {
  const settings = settingsOf(dataset, options)
  const cells = cellsOf(dataset, detections, settings)
  const overlapOf = OVERLAPS[settings.iouType]
  const categoryIds = settings.useCategories ? settings.categoryIds : [-1]
  const grid: Grid = categoryIds.map((category) => {
    const own = settings.imageIds.flatMap((image) => cells.get(`${image}/${category}`) ?? [])
    const overlaps = own.map((cell) =>
      cell.found.map((found) => cell.truths.map((truth) => overlapOf(found, truth, settings))),
    )
    return settings.areaRanges.map(([, from, to]) => {
      const matches = own.map((cell, c) => matchCell(cell, overlaps[c], settings, from, to))
      return settings.maxDetections.map((limit) => accumulate(matches, limit, settings))
    })
  })
  const last = settings.maxDetections.length - 1
  const perCategoryAP = grid.map((areas) => averageOf((areas[0][last]?.precision ?? []).flat()))
  return { stats: statistics(grid, settings), perCategoryAP, categoryIds }
}
