// Statistics of batch normalisation by the batch's own, and its gradient (Ioffe & Szegedy 2015). ints = feature dim, and, of the gradient,
// has_weight, has_bias; floats = epsilon. f16 and bf16 calculate in f32; mean and variance are of the calculation type. Statistics are exact two-pass ones for
// each piece, merged in f64 (Chan, Golub & LeVeque 1983), in an order that depends on the shape and layout alone.
#pragma once
#include "channels.h"
#include "norm.h"

namespace kaimo {
namespace {

struct BatchNormArgs {
  int feature;
  bool has_weight, has_bias;
  double epsilon;
  explicit BatchNormArgs(const KernelCall& call) : feature(static_cast<int>(call.ints[0])), has_weight(call.ints[1] != 0), has_bias(call.ints[2] != 0), epsilon(call.floats[0]) {}
};

// Two numbers for each channel and piece.
struct Pair {
  double first, second;
};

// Sums of first(lines, i) and second(lines, i) over all positions of each channel's pieces, into partial[channel * pieces + piece]. i: position
// within a run, or channel within a tile; c: the channel.
template <class A, class First, class Second>
inline Status channel_sums(Pool* pool, const ChannelJob& job, double element_ns, Pair* partial, First first, Second second) {
  if (job.by_runs) {
    return job.for_each_run(pool, element_ns, [&](char* const* lines, int64_t c, int64_t piece) {
      const A a = reduce_map<SumOp, A>(job.run, [&](int64_t i) { return first(lines, i, c); });
      const A b = reduce_map<SumOp, A>(job.run, [&](int64_t i) { return second(lines, i, c); });
      partial[c * job.pieces + piece] = {static_cast<double>(a), static_cast<double>(b)};
    });
  }
  job.for_each_tile(pool, element_ns, [&](auto each, int64_t from, int64_t width, int64_t piece) {
    A a[kChannelTile], b[kChannelTile], part_a[kChannelTile], part_b[kChannelTile];
    for (int64_t i = 0; i < kChannelTile; i++) a[i] = b[i] = part_a[i] = part_b[i] = A(0);
    int64_t position = 0;
    const auto flush = [&] {
      for (int64_t i = 0; i < width; i++) {
        a[i] += part_a[i];
        b[i] += part_b[i];
        part_a[i] = part_b[i] = A(0);
      }
    };
    each([&](char* const* lines) {
      for (int64_t i = 0; i < width; i++) {
        part_a[i] += first(lines, i, from + i);
        part_b[i] += second(lines, i, from + i);
      }
      if (++position % 16 == 0) flush();
    });
    flush();
    for (int64_t i = 0; i < width; i++) partial[(from + i) * job.pieces + piece] = {static_cast<double>(a[i]), static_cast<double>(b[i])};
  });
  return Status::ok;
}

// Mean and sum of squared deviations of every piece.
template <class A>
inline Status channel_moments(Pool* pool, const ChannelJob& job, Pair* partial) {
  if (job.by_runs) {
    return job.for_each_run(pool, 0.4, [&](char* const* lines, int64_t c, int64_t piece) {
      const A* x = reinterpret_cast<const A*>(lines[0]);
      const A mean = reduce_row<SumOp>(x, job.run) / static_cast<A>(job.run);
      const A square = reduce_map<SumOp, A>(job.run, [&](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
      partial[c * job.pieces + piece] = {static_cast<double>(mean), static_cast<double>(square)};
    });
  }
  job.for_each_tile(pool, 0.4, [&](auto each, int64_t from, int64_t width, int64_t piece) {
    A mean[kChannelTile] = {}, square[kChannelTile] = {}, part[kChannelTile] = {};
    const auto sum = [&](A* total, auto value) {
      int64_t position = 0;
      each([&](char* const* lines) {
        const A* x = reinterpret_cast<const A*>(lines[0]);
        for (int64_t i = 0; i < width; i++) part[i] += value(x[i], i);
        if (++position % 16 != 0) return;
        for (int64_t i = 0; i < width; i++) {
          total[i] += part[i];
          part[i] = A(0);
        }
      });
      for (int64_t i = 0; i < width; i++) {
        total[i] += part[i];
        part[i] = A(0);
      }
    };
    sum(mean, [](A x, int64_t) { return x; });
    for (int64_t i = 0; i < width; i++) mean[i] /= static_cast<A>(job.piece_size(piece));
    sum(square, [&](A x, int64_t i) { return (x - mean[i]) * (x - mean[i]); });
    for (int64_t i = 0; i < width; i++) partial[(from + i) * job.pieces + piece] = {static_cast<double>(mean[i]), static_cast<double>(square[i])};
  });
  return Status::ok;
}

// Merges the pieces of a channel into mean and biased variance.
inline Pair merge_moments(const ChannelJob& job, const Pair* pieces) {
  const double count = static_cast<double>(job.positions);
  double mean = 0, square = 0;
  for (int64_t p = 0; p < job.pieces; p++) mean += pieces[p].first * (static_cast<double>(job.piece_size(p)) / count);
  for (int64_t p = 0; p < job.pieces; p++) {
    const double away = pieces[p].first - mean;
    square += pieces[p].second + away * away * static_cast<double>(job.piece_size(p));
  }
  return {mean, square / count};
}

// The values of an optional parameter of each channel, or `otherwise`.
template <class A>
inline bool load_channel_values(const Operand* from, A* out, int64_t channels, A otherwise) {
  for (int64_t c = 0; c < channels; c++) out[c] = otherwise;
  if (from == nullptr) return true;
  FloatCast cast;
  if (!float_cast(from->dtype, &cast) || cast.value != static_cast<int64_t>(sizeof(A))) return false;
  load_values(*from, cast, reinterpret_cast<char*>(out));
  return true;
}

template <class A>
inline void store_channel_values(const A* values, const Operand& out, int64_t channels) {
  FloatCast cast;
  if (float_cast(out.dtype, &cast)) cast.store(reinterpret_cast<const char*>(values), out.data, 1, channels);
}

// y[i] = value(lines, i, channel) for every element of the last operand.
template <class A, class F>
inline Status channel_map(Pool* pool, const ChannelJob& job, double element_ns, F value) {
  const int last = job.count - 1;
  if (job.by_runs) {
    return job.for_each_run(pool, element_ns, [&](char* const* lines, int64_t c, int64_t) {
      A* y = reinterpret_cast<A*>(lines[last]);
      for (int64_t i = 0; i < job.run; i++) y[i] = value(lines, i, c);
    });
  }
  job.for_each_tile(pool, element_ns, [&](auto each, int64_t from, int64_t width, int64_t) {
    each([&](char* const* lines) {
      A* y = reinterpret_cast<A*>(lines[last]);
      for (int64_t i = 0; i < width; i++) y[i] = value(lines, i, from + i);
    });
  });
  return Status::ok;
}

template <class A>
inline Status batch_norm_moments(KernelCall& call, ChannelJob& stats) {
  const int64_t channels = stats.channels;
  const size_t pairs = static_cast<size_t>(channels * stats.pieces) * sizeof(Pair);
  char* scratch = static_cast<char*>(shared_scratch(call.pool, pairs + static_cast<size_t>(2 * channels + 1) * sizeof(A)));
  if (scratch == nullptr) return Status::out_of_memory;
  Pair* partial = reinterpret_cast<Pair*>(scratch);
  A *mean = reinterpret_cast<A*>(scratch + pairs), *variance = mean + channels;
  const Status status = channel_moments<A>(call.pool, stats, partial);
  if (status != Status::ok) return status;
  parallel_ranges(call.pool, channels, 10 + 6 * static_cast<double>(stats.pieces), [&](int64_t begin, int64_t end, int) {
    for (int64_t c = begin; c < end; c++) {
      const Pair m = merge_moments(stats, partial + c * stats.pieces);
      mean[c] = static_cast<A>(m.first);
      variance[c] = static_cast<A>(m.second);
    }
  });
  store_channel_values(mean, call.out[0], channels);
  store_channel_values(variance, call.out[1], channels);
  return Status::ok;
}

// batch_norm_statistics: in[0] x; out[0] mean, out[1] biased variance [channels]. ints = feature dim.
static Status batch_norm_statistics_kernel(KernelCall& call) {
  const Operand* operands[] = {&call.in[0]};
  ChannelJob stats;
  if (!stats.init(operands, 1, 1, static_cast<int>(call.ints[0]))) return Status::unsupported;
  return stats.cast[0].value == 8 ? batch_norm_moments<double>(call, stats) : batch_norm_moments<float>(call, stats);
}

template <class A>
inline Status batch_norm_backward(KernelCall& call, const BatchNormArgs& args, ChannelJob& sums) {
  const int64_t channels = sums.channels;
  const size_t pairs = static_cast<size_t>(channels * sums.pieces) * sizeof(Pair);
  char* scratch = static_cast<char*>(shared_scratch(call.pool, pairs + static_cast<size_t>(5 * channels + 1) * sizeof(A)));
  if (scratch == nullptr) return Status::out_of_memory;
  Pair* partial = reinterpret_cast<Pair*>(scratch);
  A *mean = reinterpret_cast<A*>(scratch + pairs), *inverse = mean + channels, *weight = inverse + channels, *total = weight + channels, *slope = total + channels;
  if (!load_channel_values(call.in + 2, mean, channels, A(0)) || !load_channel_values(call.in + 3, inverse, channels, A(0)) ||
      !load_channel_values(args.has_weight ? call.in + 4 : nullptr, weight, channels, A(1)))
    return Status::unsupported;
  for (int64_t c = 0; c < channels; c++) inverse[c] = A(1) / root(inverse[c] + static_cast<A>(args.epsilon));
  const auto g = [](char* const* lines, int64_t i) { return reinterpret_cast<const A*>(lines[0])[i]; };
  const auto hat = [=](char* const* lines, int64_t i, int64_t c) { return (reinterpret_cast<const A*>(lines[1])[i] - mean[c]) * inverse[c]; };
  Status status = channel_sums<A>(
      call.pool, sums, 0.6, partial, [&](char* const* lines, int64_t i, int64_t) { return g(lines, i); },
      [&](char* const* lines, int64_t i, int64_t c) { return g(lines, i) * hat(lines, i, c); });
  if (status != Status::ok) return status;
  for (int64_t c = 0; c < channels; c++) {
    Pair sum = {0, 0};
    for (int64_t p = 0; p < sums.pieces; p++) {
      sum.first += partial[c * sums.pieces + p].first;
      sum.second += partial[c * sums.pieces + p].second;
    }
    total[c] = static_cast<A>(sum.first);
    slope[c] = static_cast<A>(sum.second);
  }
  const Operand* result = call.out + 1;
  if (args.has_weight) store_channel_values(slope, *result++, channels);
  if (args.has_bias) store_channel_values(total, *result, channels);
  const A count = static_cast<A>(sums.positions);
  for (int64_t c = 0; c < channels; c++) {
    total[c] /= count;
    slope[c] /= count;
    weight[c] *= inverse[c];
  }
  const Operand* operands[] = {&call.in[0], &call.in[1], &call.out[0]};
  ChannelJob apply;
  if (!apply.init(operands, 3, 2, args.feature)) return Status::unsupported;
  return channel_map<A>(call.pool, apply, 0.6, [=](char* const* lines, int64_t i, int64_t c) { return (g(lines, i) - total[c] - hat(lines, i, c) * slope[c]) * weight[c]; });
}

// batch_norm_grad: in[0] cotangent of y, in[1] x, in[2] mean, in[3] variance, in[4] weight?; out[0] dx, then dweight?, dbias?.
static Status batch_norm_grad_kernel(KernelCall& call) {
  const BatchNormArgs args(call);
  const Operand* operands[] = {&call.in[0], &call.in[1]};
  ChannelJob sums;
  if (!sums.init(operands, 2, 2, args.feature)) return Status::unsupported;
  return sums.cast[0].value == 8 ? batch_norm_backward<double>(call, args, sums) : batch_norm_backward<float>(call, args, sums);
}

static const KernelEntry kBatchNormKernels[] = {
    {"batch_norm_statistics", batch_norm_statistics_kernel},
    {"batch_norm_grad", batch_norm_grad_kernel},
};

}  // namespace
}  // namespace kaimo
