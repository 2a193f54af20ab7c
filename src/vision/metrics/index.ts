/** Scores of detections, masks and keypoints, defined as in pycocotools. */
export * from './coco.js'
export * from './run-length.js'
