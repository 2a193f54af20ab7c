import * as T from '../../../tensor/index.js'
import { type Args, type BindingTable, bindings } from '../signature.js'

/** `*dims` as integers or one sequence. */
const dims = (a: Args): number[] => a.shape('dims')

/** Movement of elements: shapes, joining and splitting, padding. */
export const SHAPE: BindingTable = bindings({
  'torch.reshape(input, *dims)': (a) => T.reshape(a.tensor('input'), dims(a)),
  'Tensor.view(input, *dims)': (a) => T.reshape(a.tensor('input'), dims(a)),
  'torch.permute(input, *dims)': (a) => T.permute(a.tensor('input'), dims(a)),
  'torch.transpose(input, dim0, dim1)': (a) => T.transpose(a.tensor('input'), a.int('dim0'), a.int('dim1')),
  'torch.t(input)': (a) => T.t(a.tensor('input')),
  'torch.flatten(input, start_dim=0, end_dim=-1)': (a) =>
    T.flatten(a.tensor('input'), a.int('start_dim'), a.int('end_dim')),
  'torch.unflatten(input, dim, sizes)': (a) => T.unflatten(a.tensor('input'), a.int('dim'), a.ints('sizes')),
  'torch.movedim(input, source, destination)': (a) =>
    T.movedim(a.tensor('input'), a.intOrInts('source'), a.intOrInts('destination')),
  'torch.squeeze(input, dim=None)': (a) => T.squeeze(a.tensor('input'), a.maybeInts('dim')),
  'torch.unsqueeze(input, dim)': (a) => T.unsqueeze(a.tensor('input'), a.int('dim')),
  'Tensor.expand(input, *dims)': (a) => T.expand(a.tensor('input'), dims(a)),
  'Tensor.expand_as(input, other)': (a) => T.expandAs(a.tensor('input'), a.tensor('other')),
  'torch.narrow(input, dim, start, length)': (a) =>
    T.narrow(a.tensor('input'), a.int('dim'), a.int('start'), a.int('length')),
  'torch.select(input, dim, index)': (a) => T.select(a.tensor('input'), a.int('dim'), a.int('index')),
  'torch.flip(input, *dims)': (a) => T.flip(a.tensor('input'), dims(a)),
  'torch.roll(input, shifts, dims=None)': (a) =>
    T.roll(a.tensor('input'), a.intOrInts('shifts'), a.has('dims') ? a.intOrInts('dims') : undefined),
  'torch.rot90(input, k=1, dims=(0, 1))': (a) =>
    T.rot90(a.tensor('input'), a.int('k'), a.ints('dims') as [number, number]),
  'Tensor.repeat(input, *dims)': (a) => T.repeat(a.tensor('input'), dims(a)),
  'torch.tile(input, *dims)': (a) => T.tile(a.tensor('input'), dims(a)),
  'torch.repeat_interleave(input, repeats, dim=None)': (a) =>
    T.repeatInterleave(a.tensor('input'), a.operand('repeats'), a.maybeInt('dim')),
  'torch.diag(input, diagonal=0)': (a) => T.diag(a.tensor('input'), a.int('diagonal')),
  'torch.diagonal(input, offset=0, dim1=0, dim2=1)': (a) =>
    T.diagonal(a.tensor('input'), a.int('offset'), a.int('dim1'), a.int('dim2')),
  'torch.diag_embed(input, offset=0, dim1=-2, dim2=-1)': (a) =>
    T.diagEmbed(a.tensor('input'), a.int('offset'), a.int('dim1'), a.int('dim2')),
  'torch.cat(tensors, dim=0)': (a) => T.cat(a.tensors('tensors'), a.int('dim')),
  'torch.stack(tensors, dim=0)': (a) => T.stack(a.tensors('tensors'), a.int('dim')),
  'torch.hstack(tensors)': (a) => T.hstack(a.tensors('tensors')),
  'torch.vstack(tensors)': (a) => T.vstack(a.tensors('tensors')),
  'torch.split(tensor, split_size_or_sections, dim=0)': (a) =>
    T.split(a.tensor('tensor'), a.intOrInts('split_size_or_sections'), a.int('dim')),
  'torch.chunk(input, chunks, dim=0)': (a) => T.chunk(a.tensor('input'), a.int('chunks'), a.int('dim')),
  'torch.tensor_split(input, indices_or_sections, dim=0)': (a) =>
    T.tensorSplit(a.tensor('input'), a.intOrInts('indices_or_sections'), a.int('dim')),
  'torch.unbind(input, dim=0)': (a) => T.unbind(a.tensor('input'), a.int('dim')),
  'F.pad(input, pad, mode="constant", value=None)': (a) =>
    T.pad(a.tensor('input'), a.ints('pad'), {
      mode: a.string('mode') as T.PadMode,
      value: a.has('value') ? a.number('value') : 0,
    }),
  'F.pixel_shuffle(input, upscale_factor)': (a) => T.pixelShuffle(a.tensor('input'), a.int('upscale_factor')),
  'F.pixel_unshuffle(input, downscale_factor)': (a) => T.pixelUnshuffle(a.tensor('input'), a.int('downscale_factor')),
  'F.channel_shuffle(input, groups)': (a) => T.channelShuffle(a.tensor('input'), a.int('groups')),
  'torch.diff(input, n=1, dim=-1)': (a) => T.diff(a.tensor('input'), { n: a.int('n'), dim: a.int('dim') }),
  'torch.gradient(input, spacing=1, dim=None)': (a) =>
    T.gradient(a.tensor('input'), { dim: a.maybeInts('dim'), spacing: a.number('spacing') }),
  'torch.meshgrid(*tensors, indexing="ij")': (a) =>
    T.meshgrid(a.tensors('tensors'), { indexing: a.string('indexing') as 'ij' | 'xy' }),
  'Tensor.unfold(input, dimension, size, step)': (a) =>
    T.unfold(a.tensor('input'), a.int('dimension'), a.int('size'), a.int('step')),
})
