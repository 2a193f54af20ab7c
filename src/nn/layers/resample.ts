import { interpolate } from '../../tensor/functional/index.js'
import type { Tensor } from '../../tensor/index.js'
import type { DataFormat } from './options.js'

export type Interpolation = 'nearest' | 'bilinear' | 'bicubic'
export const INTERPOLATIONS: readonly Interpolation[] = ['nearest', 'bilinear', 'bicubic']

/** Resizes images [batch, height, width, channels] to `size` [height, width], pixel centres aligned (Keras on torch). */
export function resizeImages(
  images: Tensor,
  size: readonly number[],
  interpolation: Interpolation,
  dataFormat: DataFormat,
  antialias = false,
): Tensor {
  const layout = dataFormat === 'channels_last' ? 'channelsLast' : 'channelsFirst'
  const mode = interpolation === 'nearest' ? 'nearest-exact' : interpolation
  return interpolate(images, { size, mode, layout, antialias: antialias && interpolation !== 'nearest' })
}
