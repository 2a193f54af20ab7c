// Running functions over the channels of a tensor: all positions of the other dims belong to a channel. Where a channel's positions are
// neighbours in memory (NCHW) work goes by runs of one channel, else (NHWC) by positions of neighbouring channels.
#pragma once
#include "rows.h"

namespace kaimo {
namespace {

constexpr int64_t kChannelTile = 256;
constexpr int64_t kChannelPiece = 256;  // positions of a piece when going by positions

// Operands of one shape; the first are inputs, the rest outputs. Strides and offsets in bytes.
struct ChannelJob {
  int count, inputs;
  char* data[kMaxRowOperands];
  FloatCast cast[kMaxRowOperands] = {};
  Walk<kMaxRowOperands> outer;  // dims but the channel and the last run
  int64_t run, run_stride[kMaxRowOperands];
  int64_t channels, channel_stride[kMaxRowOperands];
  int64_t positions, pieces;
  bool by_runs;

  bool init(const Operand* const* operands, int operand_count, int input_count, int feature) {
    count = operand_count;
    inputs = input_count;
    outer.rank = 0;
    positions = run = 1;
    const Operand& shape = *operands[0];
    for (int k = 0; k < count; k++) {
      data[k] = operands[k]->data;
      if (!float_cast(operands[k]->dtype, &cast[k]) || cast[k].value != cast[0].value) return false;
      channel_stride[k] = operands[k]->strides[feature] * cast[k].stored;
      run_stride[k] = cast[k].stored;
    }
    channels = shape.dims[feature];
    for (int d = 0; d < shape.rank; d++) {
      if (d == feature) continue;
      int64_t step[kMaxRowOperands] = {};
      for (int k = 0; k < count; k++) step[k] = operands[k]->strides[d] * cast[k].stored;
      positions *= shape.dims[d];
      outer.push(shape.dims[d], step);
    }
    if (outer.rank > 0) {
      run = outer.dims[--outer.rank];
      for (int k = 0; k < count; k++) run_stride[k] = outer.strides[k][outer.rank];
    }
    const int64_t a = run_stride[0] < 0 ? -run_stride[0] : run_stride[0], b = channel_stride[0] < 0 ? -channel_stride[0] : channel_stride[0];
    by_runs = channels == 1 || (a < b && run >= 8);
    pieces = by_runs ? positions / (run > 0 ? run : 1) : (positions + kChannelPiece - 1) / kChannelPiece;
    return true;
  }

  // Positions of a piece.
  int64_t piece_size(int64_t piece) const {
    if (by_runs) return run;
    const int64_t left = positions - piece * kChannelPiece;
    return left < kChannelPiece ? left : kChannelPiece;
  }

  // A contiguous line of n values of operand k at `at`: in place, or in the buffer (loaded if an input).
  char* line(int k, char* at, int64_t stride, int64_t n, char* buffer) const {
    if (cast[k].direct && stride == cast[k].stored) return at;
    if (k < inputs) cast[k].load(at, stride / cast[k].stored, buffer, n);
    return buffer;
  }
  void finish_line(int k, char* at, int64_t stride, int64_t n, const char* values) const {
    if (values != at) cast[k].store(values, at, stride / cast[k].stored, n);
  }

  // By runs: calls f(lines, channel, piece) for every run of every channel; lines[k] holds `run` values.
  template <class F>
  Status for_each_run(Pool* pool, double element_ns, F f) const {
    int no_memory = 0;
    const int64_t pitch = (run * cast[0].value + 63) / 64 * 64;
    parallel_ranges(pool, channels * pieces, 20 + element_ns * static_cast<double>(run), [&](int64_t begin, int64_t end, int worker) {
      char* scratch = nullptr;
      for (int k = 0; k < count; k++) {
        if (cast[k].direct && run_stride[k] == cast[k].stored) continue;
        scratch = static_cast<char*>(worker_scratch(pool, worker, static_cast<size_t>(pitch * count)));
        if (scratch == nullptr) return __atomic_store_n(&no_memory, 1, __ATOMIC_RELAXED);
        break;
      }
      Walk<kMaxRowOperands> at = outer;
      // Units go channel by channel within a piece, as the runs lie in memory.
      at.start(begin / channels);
      for (int64_t unit = begin; unit < end; unit++) {
        const int64_t channel = unit % channels, piece = unit / channels;
        if (unit != begin && channel == 0) at.next();
        char *lines[kMaxRowOperands] = {}, *places[kMaxRowOperands] = {};
        for (int k = 0; k < count; k++) {
          places[k] = data[k] + at.offset[k] + channel * channel_stride[k];
          lines[k] = line(k, places[k], run_stride[k], run, scratch + k * pitch);
        }
        f(lines, channel, piece);
        for (int k = inputs; k < count; k++) finish_line(k, places[k], run_stride[k], run, lines[k]);
      }
    });
    return no_memory ? Status::out_of_memory : Status::ok;
  }

  // By positions: calls f(each, first, width, piece) for every piece and tile of channels first .. first + width;
  // each(g) calls g(lines) for every position of the piece, lines[k] holding `width` values.
  template <class F>
  void for_each_tile(Pool* pool, double element_ns, F f) const {
    const int64_t tiles = (channels + kChannelTile - 1) / kChannelTile, width = channels < kChannelTile ? channels : kChannelTile;
    const double unit_ns = static_cast<double>(positions < kChannelPiece ? positions : kChannelPiece) * (5 + element_ns * static_cast<double>(width));
    parallel_ranges(pool, pieces * tiles, unit_ns, [&](int64_t begin, int64_t end, int) {
      alignas(64) char buffers[kMaxRowOperands][kChannelTile * 8];
      for (int64_t unit = begin; unit < end; unit++) {
        const int64_t piece = unit / tiles, first = unit % tiles * kChannelTile, wide = channels - first < kChannelTile ? channels - first : kChannelTile;
        const auto each = [&](auto g) {
          int64_t position = piece * kChannelPiece;
          const int64_t last = position + piece_size(piece);
          Walk<kMaxRowOperands> at = outer;
          at.start(position / run);
          for (int64_t i = position % run; position < last; position++) {
            char *lines[kMaxRowOperands] = {}, *places[kMaxRowOperands] = {};
            for (int k = 0; k < count; k++) {
              places[k] = data[k] + at.offset[k] + i * run_stride[k] + first * channel_stride[k];
              lines[k] = line(k, places[k], channel_stride[k], wide, buffers[k]);
            }
            g(lines);
            for (int k = inputs; k < count; k++) finish_line(k, places[k], channel_stride[k], wide, lines[k]);
            if (++i == run) {
              i = 0;
              at.next();
            }
          }
        };
        f(each, first, wide, piece);
      }
    });
  }
};

}  // namespace
}  // namespace kaimo
