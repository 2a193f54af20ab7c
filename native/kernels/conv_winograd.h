// 3x3 convolutions of stride 1, f32, by Winograd's F(4x4, 3x3) (winograd.h): 36 small matrix products M[part] = V[part] U[part] of
// transformed input tiles [tile][ci] and transformed weights [ci][co], features along the vector registers. The gradient by the input is
// such a convolution too (input_grad_shape).
// Error: within 4e-6 of the largest magnitude that ci = 256 features add up to, about twice that of the direct sum. Every sum's order depends
// on the shape alone. Tiles whose result is not finite are calculated again directly, since a transform spreads NaN and infinities over a tile;
// weights that are not finite are left to the direct kernels.
#pragma once
#include "conv_rows.h"
#include "winograd.h"

namespace kaimo {
namespace {

// Where tiles lie in the images of a pass. A unit is a stretch of a row of tiles.
struct WinogradTiles {
  int64_t rows, columns, segments;  // of one image: rows of tiles, tiles in a row, units in a row
  explicit WinogradTiles(const ConvShape& s)
      : rows(ceil_div(s.out[1], kWinogradOut)), columns(ceil_div(s.out[2], kWinogradOut)), segments(ceil_div(columns, kMostUnit)) {}

  static constexpr int64_t kMostUnit = 32;
  int64_t units(int64_t images) const { return images * rows * segments; }
  int64_t longest() const { return ceil_div(columns, segments); }
  int64_t first(int64_t unit) const { return columns * (unit % segments) / segments; }
  int64_t end(int64_t unit) const { return columns * (unit % segments + 1) / segments; }
  int64_t row(int64_t unit) const { return unit / segments % rows; }
  int64_t image(int64_t unit) const { return unit / segments / rows; }
  int64_t tiles(int64_t unit0, int64_t unit1) const {
    int64_t count = 0;
    for (int64_t unit = unit0; unit < unit1; ++unit) count += end(unit) - first(unit);
    return count;
  }
};

// Images with features side by side, zero outside.
struct FeatureImages {
  const float* data;
  int64_t n, h, w;  // strides
  int64_t height, width;
  const float* zeros;  // as many as there are features

  const float* at(int64_t image, int64_t y, int64_t x) const {
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? data + image * n + y * h + x * w : zeros;
  }
};

// Parts are this many floats further apart than they are long: their addresses must not fall into one set of the cache.
constexpr int64_t kPartSkew = 16;

// The tile of edge x edge elements whose corner is at (y, x), transformed: part k of features [c, c + lanes) goes to
// out + k * part + place(c).
template <class Line, class Place>
KAIMO_NOINLINE void winograd_tile(const FeatureImages& images, int64_t image, int64_t y, int64_t x, int64_t features, float* out, int64_t part, Place place) {
  constexpr int edge = Line::in, n = Vec<float>::n;
  const auto all = [&](auto load) __attribute__((always_inline)) {
    for (int64_t c = 0; c < features; c += n) {
      float* to = out + place(c);
      winograd_transform<Line>([&](int i, int j) __attribute__((always_inline)) { return load(i, j, c); },
                               [&](int i, int j, vf32 v) __attribute__((always_inline)) { vstore(to + (i * kWinogradIn + j) * part, v); });
    }
  };
  if (y >= 0 && x >= 0 && y + edge <= images.height && x + edge <= images.width) {
    const float* corner = images.at(image, y, x);
    const int64_t h = images.h, w = images.w;
    return all([=](int i, int j, int64_t c) __attribute__((always_inline)) { return vload(corner + i * h + j * w + c); });
  }
  const float* from[edge][edge];
  for (int i = 0; i < edge; ++i) {
    for (int j = 0; j < edge; ++j) from[i][j] = images.at(image, y + i, x + j);
  }
  all([&](int i, int j, int64_t c) __attribute__((always_inline)) { return vload(from[i][j] + c); });
}

struct Winograd {
  Pool* pool;
  const ConvShape* s;
  WinogradTiles tiles;
  FeatureImages x;
  const float* w;             // [ci][3][3][co] by strides, co side by side
  int64_t w_i, w_s1, w_s2;
  float* weights;             // transformed: [panel][part][ci][kNr]
  float* inputs;              // transformed, block after block, or null: every task transforms its own
  ConvEnd end;
  int64_t n0, images;         // of the pass
  int64_t block_units, block_tiles, row_blocks, group, col_blocks;
  bool last;                  // features of y lie side by side
  bool unfit, failed;

  int64_t panels() const { return ceil_div(s->co, kNr<float>); }
  int64_t weight_panel() const { return kWinogradParts * s->ci * kNr<float> + kPartSkew; }
  int64_t input_part(int64_t count) const { return count * s->ci + kPartSkew; }
  int64_t result_part(int64_t count, int64_t panels) const { return count * panels * kNr<float> + kPartSkew; }
};

// Row ci of every panel. Marks weights that are not finite.
inline void winograd_weights(Winograd& job) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  const ConvShape& s = *job.s;
  const int64_t panels = job.panels();
  parallel_ranges(job.pool, panels * s.ci, 60.0 * kNv, [&](int64_t begin, int64_t end, int) {
    vf32 spoilt = {};
    for (int64_t row = begin; row < end; ++row) {
      const int64_t p = row / s.ci, ci = row % s.ci;
      const float* from = job.w + ci * job.w_i + p * nr;
      float* to = job.weights + p * job.weight_panel() + ci * nr;
      for (int64_t c = 0; c < nr; c += n) {
        const bool inside = p * nr + c < s.co;
        winograd_transform<KernelLine>([&](int i, int j) __attribute__((always_inline)) { return inside ? vload(from + i * job.w_s1 + j * job.w_s2 + c) : vf32{}; },
                                       [&](int i, int j, vf32 v) __attribute__((always_inline)) {
                                         spoilt += v * 0.0f;
                                         vstore(to + (i * kWinogradIn + j) * s.ci * nr + c, v);
                                       });
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      if (!(spoilt[i] == 0)) __atomic_store_n(&job.unfit, true, __ATOMIC_RELAXED);
    }
  });
}

// Tiles of units [unit0, unit1) of the pass: [part][tile][ci].
inline void winograd_inputs(const Winograd& job, int64_t unit0, int64_t unit1, float* out, int64_t part) {
  const ConvShape& s = *job.s;
  for (int64_t unit = unit0; unit < unit1; ++unit) {
    for (int64_t j = job.tiles.first(unit); j < job.tiles.end(unit); ++j, out += s.ci) {
      winograd_tile<InputLine>(job.x, job.tiles.image(unit), job.tiles.row(unit) * kWinogradOut - s.lo[1], j * kWinogradOut - s.lo[2], s.ci, out, part,
                               [](int64_t c) { return c; });
    }
  }
}

// One output directly, in the order (taps, ci).
inline float direct_output(const Winograd& job, int64_t image, int64_t h, int64_t w, int64_t co) {
  const ConvShape& s = *job.s;
  float sum = 0;
  for (int64_t i = 0; i < kWinogradTaps; ++i) {
    for (int64_t j = 0; j < kWinogradTaps; ++j) {
      const float *x = job.x.at(image, h + i - s.lo[1], w + j - s.lo[2]), *weight = job.w + i * job.w_s1 + j * job.w_s2 + co;
      for (int64_t c = 0; c < s.ci; ++c) sum = sfma(x[c], weight[c * job.w_i], sum);
    }
  }
  return sum;
}

// Rows and columns of outputs of one tile.
struct TileExtent {
  int64_t h, w, height, width;
  TileExtent(const ConvShape& s, int64_t row, int64_t column)
      : h(row * kWinogradOut), w(column * kWinogradOut), height(min64(kWinogradOut, s.out[1] - h)), width(min64(kWinogradOut, s.out[2] - w)) {}
};

// The tile's outputs of features [co, co + count) once more, without the transforms.
KAIMO_NOINLINE void winograd_repair(const Winograd& job, int64_t image, const TileExtent& e, int64_t co, int64_t count, float* y, int64_t y_h, int64_t y_w) {
  for (int64_t i = 0; i < e.height; ++i) {
    for (int64_t j = 0; j < e.width; ++j) {
      for (int64_t c = 0; c < count; ++c) {
        float v = direct_output(job, image, e.h + i, e.w + j, co + c);
        v = job.end.apply(v, co + c);
        y[i * y_h + j * y_w + c] = v;
      }
    }
  }
}

// Sums [part][ld] of one tile, features [co, co + count), to outputs at y.
KAIMO_NOINLINE void winograd_outputs(const Winograd& job, int64_t image, const TileExtent& e, const float* sums, int64_t part, int64_t co, int64_t count, float* y, int64_t y_h,
                                     int64_t y_w) {
  constexpr int64_t n = Vec<float>::n;
  const ConvEnd& end = job.end;
  vf32 spoilt = {};
  for (int64_t c = 0; c < count; c += n) {
    const vf32 bias = end.bias ? vload(end.bias + co + c) : vf32{}, scale = end.scale ? vload(end.scale + co + c) : vsplat(1.0f);
    vf32 block[kWinogradOut][kWinogradOut];
    winograd_transform<OutputLine>([&](int i, int j) __attribute__((always_inline)) { return vload(sums + (i * kWinogradIn + j) * part + c); },
                                   [&](int i, int j, vf32 v) __attribute__((always_inline)) {
                                     spoilt += v * 0.0f;
                                     v = v * scale + bias;
                                     block[i][j] = end.activation == kActRelu ? relu(v) : v;
                                   });
    for (int64_t i = 0; i < e.height; ++i) {
      for (int64_t j = 0; j < e.width; ++j) vstore(y + i * y_h + j * y_w + c, block[i][j]);
    }
  }
  bool finite = true;
  for (int64_t i = 0; i < n; ++i) finite = finite && spoilt[i] == 0;
  if (!finite) winograd_repair(job, image, e, co, count, y, y_h, y_w);
}

// Finished sums of a block of units and a group of panels from feature co on. Where features of y are not side by side, a unit's outputs are
// gathered in `lines` and transposed.
inline void winograd_store(const Winograd& job, int64_t unit0, int64_t unit1, const float* sums, int64_t part, int64_t ld, int64_t co, int64_t count, float* lines) {
  const ConvShape& s = *job.s;
  for (int64_t unit = unit0; unit < unit1; ++unit) {
    const int64_t image = job.tiles.image(unit), first = job.tiles.first(unit), end = job.tiles.end(unit);
    float* y = reinterpret_cast<float*>(s.y) + (job.n0 + image) * s.y_n + co * s.y_c;
    const int64_t columns = min64(end * kWinogradOut, s.out[2]) - first * kWinogradOut;
    for (int64_t j = first; j < end; ++j, sums += ld) {
      const TileExtent e(s, job.tiles.row(unit), j);
      if (job.last) {
        winograd_outputs(job, image, e, sums, part, co, count, y + e.h * s.y_s[1] + e.w * s.y_s[2], s.y_s[1], s.y_s[2]);
      } else {
        winograd_outputs(job, image, e, sums, part, co, count, lines + (e.w - first * kWinogradOut) * ld, columns * ld, ld);
      }
    }
    if (job.last) continue;
    const TileExtent e(s, job.tiles.row(unit), first);
    float* to = y + e.h * s.y_s[1] + e.w * s.y_s[2];
    const bool folds = s.y_s[1] == columns * s.y_s[2];
    const int64_t stretches = folds ? 1 : e.height, length = folds ? e.height * columns : columns;
    for (int64_t i = 0; i < stretches; ++i) {
      const float* from = lines + i * columns * ld;
      if (s.y_s[2] == 1) {
        transpose_line(to + i * s.y_s[1], s.y_c, from, ld, 1, count, length);
        continue;
      }
      for (int64_t r = 0; r < length; ++r) {
        for (int64_t c = 0; c < count; ++c) to[i * s.y_s[1] + r * s.y_s[2] + c * s.y_c] = from[r * ld + c];
      }
    }
  }
}

// M[part][tile][panel] of a block of tiles and a group of panels.
KAIMO_NOINLINE void winograd_products(const Winograd& job, const float* inputs, int64_t count, int64_t p0, int64_t p1, float* sums) {
  static const Epilogue<float> plain;
  constexpr int64_t nr = kNr<float>;
  const int64_t ci = job.s->ci, kb = gemm_k_block(ci), ld = (p1 - p0) * nr, part = job.result_part(count, p1 - p0);
  const RowSplit split(count);
  TileArgs<float> t{};
  t.a_rs = ci;
  t.a_cs = 1;
  t.b_rs = nr;
  t.ldc = ld;
  t.epilogue = &plain;
  for (int64_t k = 0; k < kWinogradParts; ++k) {
    for (int64_t p = p0; p < p1; ++p) {
      for (int64_t k0 = 0; k0 < ci; k0 += kb) {
        t.kc = min64(kb, ci - k0);
        t.first = k0 == 0;
        t.b = job.weights + p * job.weight_panel() + (k * ci + k0) * nr;
        t.a = inputs + k * job.input_part(count) + k0;
        t.c = sums + k * part + (p - p0) * nr;
        for (int64_t tile = 0; tile < split.tiles; ++tile) {
          const int64_t rows = split.rows(tile);
          TileTable<float>::kernels[kARows][tile_index(rows)](t);
          t.a += rows * ci;
          t.c += rows * ld;
        }
      }
    }
  }
}

inline void winograd_task(void* context, int64_t task, int worker) {
  Winograd& job = *static_cast<Winograd*>(context);
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t rb = task / job.col_blocks, cb = task % job.col_blocks, panels = job.panels(), units = job.tiles.units(job.images);
  const int64_t unit0 = rb * job.block_units, unit1 = min64(units, unit0 + job.block_units), count = job.tiles.tiles(unit0, unit1);
  const int64_t own = job.inputs ? 0 : kWinogradParts * job.input_part(count);
  const int64_t lines = job.last ? 0 : kWinogradOut * kWinogradOut * job.tiles.longest() * job.group * nr;
  const int64_t total = own + kWinogradParts * job.result_part(count, job.group) + lines;
  float* scratch = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t(total)));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  const float* inputs = job.inputs ? job.inputs + rb * kWinogradParts * job.input_part(job.block_tiles) : scratch;
  if (!job.inputs) winograd_inputs(job, unit0, unit1, scratch, job.input_part(count));
  float *sums = scratch + own, *gathered = scratch + total - lines;
  const int64_t end = panels * (cb + 1) / job.col_blocks;
  for (int64_t p0 = panels * cb / job.col_blocks; p0 < end; p0 += job.group) {
    const int64_t p1 = min64(end, p0 + job.group);
    winograd_products(job, inputs, count, p0, p1, sums);
    winograd_store(job, unit0, unit1, sums, job.result_part(count, p1 - p0), (p1 - p0) * nr, p0 * nr, min64(p1 * nr, s.co) - p0 * nr, gathered);
  }
}

// Transforms one unit of the pass for all tasks.
inline void winograd_inputs_task(void* context, int64_t unit, int) {
  Winograd& job = *static_cast<Winograd*>(context);
  const int64_t rb = unit / job.block_units, unit0 = rb * job.block_units, unit1 = min64(job.tiles.units(job.images), unit0 + job.block_units);
  float* block = job.inputs + rb * kWinogradParts * job.input_part(job.block_tiles);
  winograd_inputs(job, unit, unit + 1, block + job.tiles.tiles(unit0, unit) * job.s->ci, job.input_part(job.tiles.tiles(unit0, unit1)));
}

// Images [n0, n0 + images) of an operand with any strides as [image][h][w][features].
inline void gather_images(Pool* pool, const float* from, int64_t n, int64_t c, int64_t h, int64_t w, int64_t images, int64_t height, int64_t width, int64_t features, float* to) {
  parallel_ranges(pool, images * height, double(width * features) * 0.4, [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) {
      transpose_line(to + line * width * features, features, from + line / height * n + line % height * h, c, w, width, features);
    }
  });
}

// ---- weights with features side by side ----

struct WinogradWeights {
  const float* base;          // of the tap (0, 0) after `reverse`
  int64_t i, o, s1, s2;       // strides, those of taps positive
  bool reverse;               // taps run backwards
  explicit WinogradWeights(const ConvShape& s) : base(reinterpret_cast<const float*>(s.w)), i(s.w_i), o(s.w_o), s1(s.w_s[1]), s2(s.w_s[2]), reverse(s1 < 0 && s2 < 0) {
    if (!reverse) return;
    base += 2 * (s1 + s2);
    s1 = -s1;
    s2 = -s2;
  }
};

// Points the job at the weights, or at a copy [ci][tap][co] or [tap][ci][co] in `copy`.
inline void winograd_weight_rows(Winograd& job, float* copy) {
  const ConvShape& s = *job.s;
  constexpr int64_t taps = kWinogradTaps * kWinogradTaps;
  const WinogradWeights w(s);
  const bool runs = w.s2 == 1 && w.s1 == kWinogradTaps;  // the taps of a pair of features lie side by side
  int64_t step[2] = {w.s1, w.s2};
  job.w = w.base;
  job.w_i = w.i;
  if (w.o != 1) {
    job.w = copy;
    step[0] = kWinogradTaps * s.co;
    step[1] = s.co;
    job.w_i = taps * s.co;
    if (runs && w.i == taps) {
      parallel_ranges(job.pool, s.ci, double(taps * s.co), [&](int64_t begin, int64_t end, int) {
        transpose_line(copy + begin * taps * s.co, s.co, w.base + begin * taps, w.o, 1, (end - begin) * taps, s.co);
      });
    } else if (runs) {
      parallel_ranges(job.pool, s.ci, double(taps * s.co), [&](int64_t begin, int64_t end, int) {
        for (int64_t c = begin; c < end; ++c) transpose_line(copy + c * taps * s.co, s.co, w.base + c * w.i, w.o, 1, taps, s.co);
      });
    } else {
      step[0] = kWinogradTaps * s.ci * s.co;
      step[1] = s.ci * s.co;
      job.w_i = s.co;
      parallel_ranges(job.pool, taps, double(s.ci * s.co), [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t) transpose_line(copy + t * s.ci * s.co, s.co, w.base + t / kWinogradTaps * w.s1 + t % kWinogradTaps * w.s2, w.o, w.i, s.ci, s.co);
      });
    }
  }
  job.w_s1 = w.reverse ? -step[0] : step[0];
  job.w_s2 = w.reverse ? -step[1] : step[1];
  if (w.reverse) job.w += 2 * (step[0] + step[1]);
}

// ---- the choice, and the whole ----

inline bool winograd_serves(const ConvShape& s) {
  constexpr int64_t n = Vec<float>::n;
  for (int d = 1; d < kSpatial; ++d) {
    if (s.taps[d] != kWinogradTaps || s.stride[d] != 1 || s.ldil[d] != 1 || s.rdil[d] != 1) return false;
  }
  return s.groups == 1 && s.taps[0] == 1 && s.in[0] == 1 && s.out[0] == 1 && s.lo[0] == 0 && s.ci % n == 0 && s.co % n == 0;
}

// Nanoseconds by a rough model of one core, for the direct kernel and for this one: multiply-adds, and memory for transformed tiles and weights.
inline bool worth_winograd(const ConvShape& s) {
  if (!winograd_serves(s) || s.ci < 32 || s.co < 32) return false;
  const WinogradTiles t(s);
  const double tiles = double(s.batch * t.rows * t.columns), ci = double(s.ci), co = double(s.co);
  const double direct = double(s.batch * s.positions()) * 9 * ci * co / 40;
  const double transformed = kWinogradParts * (tiles * ci * co / 36 + tiles * (ci + co) * 0.35 + ci * co * 0.6);
  return transformed < direct;
}

// Tiles of a block: its transformed inputs and sums should stay in the second cache, while the weights, which every block reads, should be
// read seldom.
inline int64_t winograd_block(const ConvShape& s) { return s.ci * s.co <= 64 * 128 ? 28 : s.ci * s.co <= 128 * 128 ? 42 : 64; }

constexpr int64_t kWinogradGroup = 64;  // features of a group of panels

// `*used` is false where the weights are not finite: nothing is written then.
inline Status conv_winograd(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory, bool* used) {
  Winograd job{pool, &s, WinogradTiles(s), {}, nullptr, 0, 0, 0, nullptr, nullptr, {}, 0, 0, 0, 0, 0, 0, 0, false, false, false};
  const bool gather = s.x_c != 1;
  const int64_t image = s.in[1] * s.in[2] * s.ci;
  const int64_t most = gather ? max64(1, min64(s.batch, kPaddedBytes / int64_t(sizeof(float)) / max64(1, image))) : s.batch;
  job.images = most;
  job.group = max64(1, min64(job.panels(), kWinogradGroup / kNr<float>));
  job.block_units = max64(1, min64(job.tiles.units(most), winograd_block(s) / job.tiles.longest()));
  job.block_tiles = job.block_units * job.tiles.longest();
  const int64_t most_blocks = ceil_div(job.tiles.units(most), job.block_units);
  const bool shared = most_blocks < kWantedTasks;
  float* zeros = memory.take<float>(s.ci);
  float* gathered = memory.take<float>(gather ? most * image : 0);
  float* copy = memory.take<float>(s.w_o == 1 ? 0 : 9 * s.ci * s.co);
  job.weights = memory.take<float>(job.panels() * job.weight_panel());
  float* inputs = memory.take<float>(shared ? most_blocks * kWinogradParts * job.input_part(job.block_tiles) : 0);
  if (!memory.ready()) return Status::ok;
  for (int64_t c = 0; c < s.ci; ++c) zeros[c] = 0;
  winograd_weight_rows(job, copy);
  winograd_weights(job);
  *used = !job.unfit;
  if (job.unfit) return Status::ok;
  job.inputs = shared ? inputs : nullptr;
  job.end = end;
  job.last = s.y_c == 1;
  for (job.n0 = 0; job.n0 < s.batch; job.n0 += most) {
    job.images = min64(most, s.batch - job.n0);
    const float* x = reinterpret_cast<const float*>(s.x) + job.n0 * s.x_n;
    job.x = {x, s.x_n, s.x_s[1], s.x_s[2], s.in[1], s.in[2], zeros};
    if (gather) {
      gather_images(pool, x, s.x_n, s.x_c, s.x_s[1], s.x_s[2], job.images, s.in[1], s.in[2], s.ci, gathered);
      job.x = {gathered, image, s.in[2] * s.ci, s.ci, s.in[1], s.in[2], zeros};
    }
    job.row_blocks = ceil_div(job.tiles.units(job.images), job.block_units);
    job.col_blocks = shared ? max64(1, min64(ceil_div(job.panels(), job.group), ceil_div(kWantedTasks, job.row_blocks))) : 1;
    if (shared) parallel_for(pool, job.tiles.units(job.images), winograd_inputs_task, &job);
    parallel_for(pool, job.row_blocks * job.col_blocks, winograd_task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  return Status::ok;
}

}  // namespace
}  // namespace kaimo
