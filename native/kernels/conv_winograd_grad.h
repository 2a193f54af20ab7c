// The gradient of a 3x3 convolution of stride 1 by its kernel, f32, as the adjoint of Winograd's F(4x4, 3x3) (winograd.h):
//   dg = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G,
// 36 matrix products [ci][tile] [tile][co] of transformed tiles of the input and of the cotangent. Passes over images are cut by the shape alone.
// A result that is not finite is left to the direct kernel, since transforms spread NaN and infinities.
#pragma once
#include "conv_winograd.h"

namespace kaimo {
namespace {

struct WinogradGrad {
  Pool* pool;
  const ConvShape* s;
  WinogradTiles tiles;
  FeatureImages x, g;
  float *inputs, *outputs;  // of the pass, transformed: [part][panel][tile][kNr]
  float* sums;              // [part][ci][co of whole panels]
  int64_t images, count;    // of the pass: images, tiles
  bool first, spoilt;

  static int64_t panels(int64_t features) { return ceil_div(features, kNr<float>); }
  int64_t part(int64_t features) const { return panels(features) * count * kNr<float> + kPartSkew; }
  int64_t sums_ld() const { return panels(s->co) * kNr<float>; }
  int64_t sums_part() const { return s->ci * sums_ld() + kPartSkew; }
};

// Tiles of one unit, of the input (even tasks) or the cotangent.
inline void winograd_grad_tiles(void* context, int64_t task, int) {
  constexpr int64_t nr = kNr<float>;
  const WinogradGrad& job = *static_cast<const WinogradGrad*>(context);
  const ConvShape& s = *job.s;
  const int64_t unit = task / 2, image = job.tiles.image(unit), row = job.tiles.row(unit) * kWinogradOut, panel = job.count * nr;
  int64_t tile = (image * job.tiles.rows + job.tiles.row(unit)) * job.tiles.columns + job.tiles.first(unit);
  const auto place = [panel](int64_t c) { return c / nr * panel + c % nr; };
  for (int64_t j = job.tiles.first(unit); j < job.tiles.end(unit); ++j, ++tile) {
    if (task % 2 == 0) {
      winograd_tile<InputLine>(job.x, image, row - s.lo[1], j * kWinogradOut - s.lo[2], s.ci, job.inputs + tile * nr, job.part(s.ci), place);
    } else {
      winograd_tile<OutputAdjoint>(job.g, image, row, j * kWinogradOut, s.co, job.outputs + tile * nr, job.part(s.co), place);
    }
  }
}

// One part: sums of the pass added to those of the passes before.
inline void winograd_grad_part(void* context, int64_t k, int) {
  static const Epilogue<float> plain;
  constexpr int64_t nr = kNr<float>;
  const WinogradGrad& job = *static_cast<const WinogradGrad*>(context);
  const ConvShape& s = *job.s;
  const int64_t kb = gemm_k_block(job.count), ld = job.sums_ld(), panel = job.count * nr;
  const float *inputs = job.inputs + k * job.part(s.ci), *outputs = job.outputs + k * job.part(s.co);
  float* sums = job.sums + k * job.sums_part();
  TileArgs<float> t{};
  t.a_rs = 1;
  t.a_cs = nr;
  t.b_rs = nr;
  t.ldc = ld;
  t.epilogue = &plain;
  for (int64_t k0 = 0; k0 < job.count; k0 += kb) {
    t.kc = min64(kb, job.count - k0);
    t.first = job.first && k0 == 0;
    for (int64_t p = 0; p < job.panels(s.co); ++p) {
      t.b = outputs + p * panel + k0 * nr;
      for (int64_t q = 0; q < job.panels(s.ci); ++q) {
        const RowSplit split(min64(nr, s.ci - q * nr));
        t.a = inputs + q * panel + k0 * nr;
        t.c = sums + q * nr * ld + p * nr;
        for (int64_t tile = 0; tile < split.tiles; ++tile) {
          const int64_t rows = split.rows(tile);
          TileTable<float>::kernels[kAColumns][tile_index(rows)](t);
          t.a += rows;
          t.c += rows * ld;
        }
      }
    }
  }
}

// The kernel's gradient from the sums, in the kernel's strides.
inline void winograd_grad_store(WinogradGrad& job) {
  constexpr int64_t n = Vec<float>::n, taps = kWinogradTaps;
  const ConvShape& s = *job.s;
  const int64_t ld = job.sums_ld(), part = job.sums_part();
  float* w = reinterpret_cast<float*>(const_cast<char*>(s.w));
  parallel_ranges(job.pool, s.ci, 8.0 * double(s.co), [&](int64_t begin, int64_t end, int) {
    vf32 spoilt = {};
    for (int64_t ci = begin; ci < end; ++ci) {
      for (int64_t co = 0; co < s.co; co += n) {
        const float* from = job.sums + ci * ld + co;
        float* to = w + ci * s.w_i + co * s.w_o;
        vf32 block[taps][taps];
        winograd_transform<KernelAdjoint>([&](int i, int j) __attribute__((always_inline)) { return vload(from + (i * kWinogradIn + j) * part); },
                                          [&](int i, int j, vf32 v) __attribute__((always_inline)) {
                                            spoilt += v * 0.0f;
                                            block[i][j] = v;
                                          });
        if (s.w_o == 1) {
          for (int64_t i = 0; i < taps; ++i) {
            for (int64_t j = 0; j < taps; ++j) vstore(to + i * s.w_s[1] + j * s.w_s[2], block[i][j]);
          }
          continue;
        }
        for (int64_t l = 0; l < n; ++l) {
          for (int64_t i = 0; i < taps; ++i) {
            for (int64_t j = 0; j < taps; ++j) to[l * s.w_o + i * s.w_s[1] + j * s.w_s[2]] = block[i][j][l];
          }
        }
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      if (!(spoilt[i] == 0)) __atomic_store_n(&job.spoilt, true, __ATOMIC_RELAXED);
    }
  });
}

// As worth_winograd.
inline bool worth_winograd_grad(const ConvShape& s) {
  if (!winograd_serves(s) || s.ci < 32 || s.co < 32) return false;
  const WinogradTiles t(s);
  const double tiles = double(s.batch * t.rows * t.columns), ci = double(s.ci), co = double(s.co);
  const double direct = double(s.batch * s.positions()) * 9 * ci * co / 35;
  return kWinogradParts * (tiles * ci * co / 36 + tiles * (ci + co) * 0.35 + ci * co * 0.8) < direct;
}

// Transformed tiles of a pass: at least so much, and twice as much as the sums, which every pass reads and writes; no more than a cache of the
// machine's last level may hold.
constexpr int64_t kGradPassBytes = int64_t(4) << 20, kMostGradPassBytes = int64_t(24) << 20;

inline int64_t winograd_grad_images(const ConvShape& s) {
  const WinogradTiles t(s);
  const int64_t floats = kWinogradParts * int64_t(sizeof(float)), image = t.rows * t.columns * (s.ci + s.co) * floats;
  const int64_t bytes = min64(kMostGradPassBytes, max64(kGradPassBytes, 2 * s.ci * s.co * floats));
  const int64_t most = max64(1, min64(s.batch, bytes / max64(1, image)));
  return ceil_div(s.batch, ceil_div(s.batch, most));
}

// `*used` is false where the result is not finite: the kernel's gradient must be calculated anew then.
inline Status winograd_weight_grad(Pool* pool, const ConvShape& s, Workspace& memory, bool* used) {
  WinogradGrad job{pool, &s, WinogradTiles(s), {}, {}, nullptr, nullptr, nullptr, 0, 0, true, false};
  const int64_t images = winograd_grad_images(s), x_image = s.in[1] * s.in[2] * s.ci, g_image = s.positions() * s.co;
  const auto set_pass = [&](int64_t count) {
    job.images = count;
    job.count = count * job.tiles.rows * job.tiles.columns;
  };
  set_pass(images);
  const bool gather_x = s.x_c != 1, gather_g = s.y_c != 1;
  float* zeros = memory.take<float>(max64(s.ci, s.co));
  float* x_copy = memory.take<float>(gather_x ? images * x_image : 0);
  float* g_copy = memory.take<float>(gather_g ? images * g_image : 0);
  job.inputs = memory.take<float>(kWinogradParts * job.part(s.ci));
  job.outputs = memory.take<float>(kWinogradParts * job.part(s.co));
  job.sums = memory.take<float>(kWinogradParts * job.sums_part());
  if (!memory.ready()) return Status::ok;
  for (int64_t c = 0; c < max64(s.ci, s.co); ++c) zeros[c] = 0;
  for (int64_t n0 = 0; n0 < s.batch; n0 += images) {
    set_pass(min64(images, s.batch - n0));
    job.first = n0 == 0;
    const float *x = reinterpret_cast<const float*>(s.x) + n0 * s.x_n, *g = reinterpret_cast<const float*>(s.y) + n0 * s.y_n;
    job.x = {x, s.x_n, s.x_s[1], s.x_s[2], s.in[1], s.in[2], zeros};
    job.g = {g, s.y_n, s.y_s[1], s.y_s[2], s.out[1], s.out[2], zeros};
    if (gather_x) {
      gather_images(pool, x, s.x_n, s.x_c, s.x_s[1], s.x_s[2], job.images, s.in[1], s.in[2], s.ci, x_copy);
      job.x = {x_copy, x_image, s.in[2] * s.ci, s.ci, s.in[1], s.in[2], zeros};
    }
    if (gather_g) {
      gather_images(pool, g, s.y_n, s.y_c, s.y_s[1], s.y_s[2], job.images, s.out[1], s.out[2], s.co, g_copy);
      job.g = {g_copy, g_image, s.out[2] * s.co, s.co, s.out[1], s.out[2], zeros};
    }
    parallel_for(pool, 2 * job.tiles.units(job.images), winograd_grad_tiles, &job);
    parallel_for(pool, kWinogradParts, winograd_grad_part, &job);
  }
  winograd_grad_store(job);
  *used = !job.spoilt;
  return Status::ok;
}

}  // namespace
}  // namespace kaimo
