import * as Fn from '../../../tensor/functional/index.js'
import type { Tensor } from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'
import { isSequence, type PyValue } from '../values.js'

const format = (a: Args, name: string): Fn.BoxFormat => a.string(name) as Fn.BoxFormat

const size = (a: Args, name: string): Fn.OutputSize => {
  const sizes = a.ints(name)
  return isSequence(a.raw(name)) ? [sizes[0], sizes[1]] : sizes[0]
}

const pair = (a: Args, name: string): number | [number, number] => {
  const values = a.ints(name)
  return values.length > 1 ? [values[0], values[1]] : values[0]
}

type BoxLoss = (boxes1: Tensor, boxes2: Tensor, options: Fn.BoxLossOptions) => Tensor

const boxLoss =
  (fn: BoxLoss) =>
  (a: Args): PyValue =>
    fn(a.tensor('boxes1'), a.tensor('boxes2'), {
      reduction: a.string('reduction') as Fn.Reduction,
      eps: a.number('eps'),
    })

const BOX_LOSS = '(boxes1, boxes2, reduction="none", eps=1e-7)'

/** torchvision.ops. */
export const DETECTION: BindingTable = bindings({
  'tv.box_convert(boxes, in_fmt, out_fmt)': (a) =>
    Fn.boxConvert(a.tensor('boxes'), format(a, 'in_fmt'), format(a, 'out_fmt')),
  'tv.box_area(boxes, fmt="xyxy")': (a) => Fn.boxArea(a.tensor('boxes'), format(a, 'fmt')),
  'tv.clip_boxes_to_image(boxes, size)': (a) => {
    const [height, width] = a.ints('size')
    return Fn.clipBoxesToImage(a.tensor('boxes'), [height, width])
  },
  'tv.remove_small_boxes(boxes, min_size)': (a) => Fn.removeSmallBoxes(a.tensor('boxes'), a.number('min_size')),
  'tv.masks_to_boxes(masks)': (a) => Fn.masksToBoxes(a.tensor('masks')),
  'tv.nms(boxes, scores, iou_threshold)': (a) =>
    Fn.nms(a.tensor('boxes'), a.tensor('scores'), a.number('iou_threshold')),
  'tv.batched_nms(boxes, scores, idxs, iou_threshold)': (a) =>
    Fn.batchedNms(a.tensor('boxes'), a.tensor('scores'), a.tensor('idxs'), a.number('iou_threshold')),
  'tv.box_iou(boxes1, boxes2, fmt="xyxy")': (a) => Fn.boxIou(a.tensor('boxes1'), a.tensor('boxes2'), format(a, 'fmt')),
  'tv.generalized_box_iou(boxes1, boxes2)': (a) => Fn.generalizedBoxIou(a.tensor('boxes1'), a.tensor('boxes2')),
  'tv.distance_box_iou(boxes1, boxes2, eps=1e-7)': (a) =>
    Fn.distanceBoxIou(a.tensor('boxes1'), a.tensor('boxes2'), a.number('eps')),
  'tv.complete_box_iou(boxes1, boxes2, eps=1e-7)': (a) =>
    Fn.completeBoxIou(a.tensor('boxes1'), a.tensor('boxes2'), a.number('eps')),
  [`tv.generalized_box_iou_loss${BOX_LOSS}`]: boxLoss(Fn.generalizedBoxIouLoss),
  [`tv.distance_box_iou_loss${BOX_LOSS}`]: boxLoss(Fn.distanceBoxIouLoss),
  [`tv.complete_box_iou_loss${BOX_LOSS}`]: boxLoss(Fn.completeBoxIouLoss),
  'tv.roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False)': (a) =>
    Fn.roiAlign(a.tensor('input'), a.tensor('boxes'), size(a, 'output_size'), {
      spatialScale: a.number('spatial_scale'),
      samplingRatio: a.int('sampling_ratio'),
      aligned: a.bool('aligned'),
    }),
  'tv.ps_roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1)': (a) =>
    Fn.psRoiAlign(a.tensor('input'), a.tensor('boxes'), size(a, 'output_size'), {
      spatialScale: a.number('spatial_scale'),
      samplingRatio: a.int('sampling_ratio'),
    }),
  'tv.roi_pool(input, boxes, output_size, spatial_scale=1.0)': (a) =>
    Fn.roiPool(a.tensor('input'), a.tensor('boxes'), size(a, 'output_size'), {
      spatialScale: a.number('spatial_scale'),
    }),
  'tv.ps_roi_pool(input, boxes, output_size, spatial_scale=1.0)': (a) =>
    Fn.psRoiPool(a.tensor('input'), a.tensor('boxes'), size(a, 'output_size'), {
      spatialScale: a.number('spatial_scale'),
    }),
  'tv.deform_conv2d(input, offset, weight, bias=None, stride=1, padding=0, dilation=1, mask=None)': (a) =>
    Fn.deformConv2d(a.tensor('input'), a.tensor('offset'), a.tensor('weight'), {
      bias: a.maybeTensor('bias') ?? null,
      stride: pair(a, 'stride'),
      padding: pair(a, 'padding'),
      dilation: pair(a, 'dilation'),
      mask: a.maybeTensor('mask') ?? null,
    }),
})
