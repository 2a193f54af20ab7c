import * as Fn from '../../../tensor/functional/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'

const scale = (a: Args): number | number[] | undefined => {
  if (!a.has('scale_factor')) return undefined
  return typeof a.raw('scale_factor') === 'number' ? a.number('scale_factor') : a.numbers('scale_factor')
}

const flag = (a: Args, name: string): boolean => a.has(name) && a.bool(name)

/** Resampling. */
export const RESAMPLE: BindingTable = bindings({
  'F.interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False)':
    (a) =>
      Fn.interpolate(a.tensor('input'), {
        size: a.has('size') ? a.intOrInts('size') : undefined,
        scaleFactor: scale(a),
        mode: a.string('mode') as Fn.InterpolationMode,
        alignCorners: flag(a, 'align_corners'),
        recomputeScaleFactor: flag(a, 'recompute_scale_factor'),
        antialias: a.bool('antialias'),
      }),
  'F.grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None)': (a) =>
    Fn.gridSample(a.tensor('input'), a.tensor('grid'), {
      mode: a.string('mode') as Fn.GridSampleOptions['mode'],
      paddingMode: a.string('padding_mode') as Fn.GridSampleOptions['paddingMode'],
      alignCorners: flag(a, 'align_corners'),
    }),
  'F.affine_grid(theta, size, align_corners=None)': (a) =>
    Fn.affineGrid(a.tensor('theta'), a.ints('size'), { alignCorners: flag(a, 'align_corners') }),
})
