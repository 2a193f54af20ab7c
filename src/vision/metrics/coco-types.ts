/** Run lengths in column order, zeros first: a list, or COCO's string. */
export interface RunLengths {
  readonly size: readonly [height: number, width: number]
  readonly counts: string | readonly number[]
}

/** A mask as polygons of x, y pairs (pixels) or as run lengths. */
export type Segmentation = readonly (readonly number[])[] | RunLengths

interface Annotated {
  readonly image_id: number
  readonly category_id: number
  /** x, y of the upper left corner, width, height (pixels). */
  readonly bbox?: readonly number[]
  readonly segmentation?: Segmentation
  /** x, y, visibility (0 not labelled) of each point. */
  readonly keypoints?: readonly number[]
  /** In square pixels. */
  readonly area?: number
}

/** An object of the ground truth, in COCO's fields. */
export interface CocoAnnotation extends Annotated {
  readonly id?: number
  /** A crowd matches any number of detections and counts neither way. */
  readonly iscrowd?: number | boolean
  readonly num_keypoints?: number
}

/** A detection, in the fields of COCO's result files. */
export interface CocoDetection extends Annotated {
  readonly score: number
}

export interface CocoDataset {
  readonly images: readonly { readonly id: number; readonly width?: number; readonly height?: number }[]
  readonly annotations: readonly CocoAnnotation[]
  readonly categories: readonly { readonly id: number; readonly name?: string }[]
}

export type CocoIouType = 'bbox' | 'segm' | 'keypoints'

export interface CocoOptions {
  /** Default 'bbox'. */
  readonly iouType?: CocoIouType
  /** Default 0.5 to 0.95 in steps of 0.05. */
  readonly iouThresholds?: readonly number[]
  /** Default 0 to 1 in steps of 0.01. */
  readonly recallThresholds?: readonly number[]
  /** Detections per image that count, ascending. Default [1, 10, 100], for keypoints [20]. */
  readonly maxDetections?: readonly number[]
  /** Names and limits of areas in square pixels; the first is the overall one. */
  readonly areaRanges?: readonly (readonly [name: string, from: number, to: number])[]
  /** Default all images and categories of the ground truth. */
  readonly imageIds?: readonly number[]
  readonly categoryIds?: readonly number[]
  /** False pools all categories. */
  readonly useCategories?: boolean
  /** Falloff of each keypoint; COCO's 17 persons' points by default. */
  readonly keypointSigmas?: readonly number[]
}
