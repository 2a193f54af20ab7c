// linear_int8: y = x W^T + bias with W in 8 bits and one scale a row, and each row of x brought to 7 bits by its own range (dynamic, per token):
// 0 stands for the least value, 127 for the largest, and the zero point for 0. Sums of products are exact; then
// y = (sum * scale_x) * scale_w + bias, rounded at each step, so that every instruction set and the body of the composite
// (src/tensor/functional/linear-int8.ts) give the same bits. A row that holds NaN or infinities gives NaN.
#pragma once
#include "int8_panel.h"
#include "kernel.h"
#include "view.h"

namespace kaimo {
namespace {

// Activations of a block of K, rows of a tile of them, stay in the L1 cache.
constexpr int64_t kBlock8 = 3072;
// Rows of x that are quantised ahead of the products.
constexpr int64_t kAhead8 = 1024;

struct LinearInt8 {
  Pool* pool;
  int64_t m, n, k, pitch;  // pitch: bytes from row to row of q
  const float* x;
  const int8_t* w;
  const float *scale, *bias;  // bias may be null
  float* y;
  uint8_t* q;  // a row of ones, whose products are the sums of the weights, then m rows
  const char* panels;  // packed weights, or null
  RowScale8* rows;
  bool failed;
};

KAIMO_NOINLINE void quantize_row8(const float* x, int64_t k, uint8_t* q, RowScale8* row) {
  float low[16] = {}, high[16] = {}, odd[16] = {};
  int64_t i = 0;
  for (; i + 16 <= k; i += 16) {
    for (int l = 0; l < 16; ++l) {
      const float v = x[i + l];
      low[l] = v < low[l] ? v : low[l];
      high[l] = v > high[l] ? v : high[l];
      odd[l] += v * 0.0f;  // NaN from NaN and infinities on
    }
  }
  for (; i < k; ++i) {
    low[0] = x[i] < low[0] ? x[i] : low[0];
    high[0] = x[i] > high[0] ? x[i] : high[0];
    odd[0] += x[i] * 0.0f;
  }
  for (int l = 1; l < 16; ++l) {
    low[0] = low[l] < low[0] ? low[l] : low[0];
    high[0] = high[l] > high[0] ? high[l] : high[0];
    odd[0] += odd[l];
  }
  const float range = high[0] - low[0] + odd[0];
  const float inverse = 127.0f / range;
  row->scale = range / 127.0f;
  row->zero = 0;
  if (!(inverse > 0.0f && inverse <= 3.40282347e+38f)) {
    __builtin_memset(q, 0, size_t(k));
    return;
  }
  // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even.
  constexpr float kMagic = 12582912.0f;
  const int32_t zero = int32_t((0.0f - low[0] * inverse + kMagic) - kMagic);
  row->zero = zero;
  for (i = 0; i < k; ++i) {
    const int32_t whole = int32_t((x[i] * inverse + kMagic) - kMagic) + zero;
    q[i] = uint8_t(whole > 127 ? 127 : whole);
  }
}

// Blocks of K of about kBlock8, whole steps each.
KAIMO_INLINE int64_t block8(int64_t k) { return round_up(ceil_div(k, ceil_div(k, kBlock8)), 64); }

// Sums of a tile over the weights as they lie.
inline void sums_in_place8(const LinearInt8& job, int64_t row0, int64_t rows, int64_t col0, int64_t cols, int32_t* sums) {
  const int64_t kb = block8(job.k);
  for (int64_t k0 = 0; k0 < job.k; k0 += kb) {
    Tile8 t;
    t.a = job.q + row0 * job.pitch + k0;
    t.a_pitch = job.pitch;
    t.kc = min64(kb, job.k - k0);
    t.first = k0 == 0;
    for (int64_t j = 0; j < cols; j += kCols8) {
      // Past the last column the last one repeats.
      for (int64_t c = 0; c < kCols8; ++c) t.b[c] = job.w + (col0 + min64(j + c, cols - 1)) * job.k + k0;
      t.sums = sums + j;
      Tiles8::kernels[rows - 1](t);
    }
  }
}

// Finishes `cols` outputs of a row from sums of products with weights that sum up to `weights`.
KAIMO_INLINE void finish_row8(const LinearInt8& job, int64_t row, int64_t col0, int64_t cols, const int32_t* sums, const int32_t* weights) {
  const RowScale8 scale = job.rows[row];
  const float* scales = job.scale + col0;
  float* y = job.y + row * job.n + col0;
  const auto value = [&](int64_t j) __attribute__((always_inline)) {
    return float(int32_t(uint32_t(sums[j]) - uint32_t(scale.zero) * uint32_t(weights[j]))) * scale.scale * scales[j];
  };
  if (job.bias != nullptr) {
    const float* bias = job.bias + col0;
    for (int64_t j = 0; j < cols; ++j) y[j] = value(j) + bias[j];
  } else {
    for (int64_t j = 0; j < cols; ++j) y[j] = value(j);
  }
}

// Columns [col0, col0 + cols) of all rows over the weights as they lie. The first row, of ones, gives the sums of weights.
KAIMO_NOINLINE void columns_in_place8(const LinearInt8& job, int64_t col0, int64_t cols) {
  alignas(64) int32_t sums[kRows8 * kTile8];
  int32_t weights[kTile8];
  const int64_t rows = job.m + 1, tiles = ceil_div(rows, kRows8);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row0 = rows * t / tiles, count = rows * (t + 1) / tiles - row0;
    sums_in_place8(job, row0, count, col0, cols, sums);
    if (row0 == 0) __builtin_memcpy(weights, sums, sizeof(int32_t) * size_t(cols));
    for (int64_t i = row0 == 0; i < count; ++i) finish_row8(job, row0 + i - 1, col0, cols, sums + i * kTile8, weights);
  }
}

#if defined(__aarch64__)
constexpr int64_t kColumns8 = kTile8;

inline bool linear_int8_columns(const LinearInt8& job, int64_t col0, int) {
  columns_in_place8(job, col0, min64(kTile8, job.n - col0));
  return true;
}

// Weights are read in place: what should hold them packed stays empty.
static Status pack_int8(KernelCall&) { return Status::ok; }
#else
// From this many rows on packed weights pay, ready or not: sums then end in the lanes where they belong.
constexpr int64_t kPackedRows8 = 4, kPackingRows8 = 48;
constexpr int64_t kColumns8 = kPanel8 > kTile8 ? kPanel8 : kTile8;

KAIMO_NOINLINE void columns_of_panel8(const LinearInt8& job, int64_t col0, const char* panel) {
  PanelTile8 tile{};
  tile.pitch = job.pitch;
  tile.k = job.k;
  tile.panel = panel;
  tile.y_pitch = job.n;
  tile.cols = min64(kPanel8, job.n - col0);
  float scales[kPanel8] = {}, bias[kPanel8] = {};
  __builtin_memcpy(scales, job.scale + col0, sizeof(float) * size_t(tile.cols));
  if (job.bias != nullptr) __builtin_memcpy(bias, job.bias + col0, sizeof(float) * size_t(tile.cols));
  tile.scales = scales;
  tile.bias = job.bias != nullptr ? bias : nullptr;
  const int64_t tiles = ceil_div(job.m, kPanelRows8);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row0 = job.m * t / tiles, rows = job.m * (t + 1) / tiles - row0;
    tile.a = job.q + (row0 + 1) * job.pitch;
    tile.rows = job.rows + row0;
    tile.y = job.y + row0 * job.n + col0;
    PanelTiles8::kernels[rows - 1](tile);
  }
}

// False where there is no memory for packed weights.
inline bool linear_int8_columns(const LinearInt8& job, int64_t col0, int worker) {
  const int64_t end = min64(col0 + kColumns8, job.n), bytes = panel_bytes8(job.k);
  if (job.m < (job.panels != nullptr ? kPackedRows8 : kPackingRows8)) {
    columns_in_place8(job, col0, end - col0);
    return true;
  }
  char* own = nullptr;
  if (job.panels == nullptr) {
    own = static_cast<char*>(worker_scratch(job.pool, worker, size_t(bytes)));
    if (own == nullptr) return false;
  }
  for (int64_t col = col0; col < end; col += kPanel8) {
    if (own != nullptr) pack_panel8(job.w + col * job.k, min64(kPanel8, job.n - col), job.k, own);
    columns_of_panel8(job, col, own != nullptr ? own : job.panels + col / kPanel8 * bytes);
  }
  return true;
}

// Panels start on the first cache line of the buffer that holds them.
KAIMO_INLINE char* panels_in(char* buffer) { return reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(buffer) + 63) / 64 * 64); }

// in[0] weight i8 [N, K], dense; out[0] i8: a cache line more than its panels take.
static Status pack_int8(KernelCall& call) {
  const Operand &w = call.in[0], &out = call.out[0];
  const int64_t n = w.dims[0], k = w.dims[1], bytes = panel_bytes8(k), panels = ceil_div(n, kPanel8);
  if (out.dims[0] < 64 + panels * bytes) return Status::unsupported;
  char* to = panels_in(out.data);
  const int8_t* from = reinterpret_cast<const int8_t*>(w.data);
  parallel_ranges(call.pool, panels, double(k * kPanel8), [&](int64_t begin, int64_t end, int) {
    for (int64_t p = begin; p < end; ++p) pack_panel8(from + p * kPanel8 * k, min64(kPanel8, n - p * kPanel8), k, to + p * bytes);
  });
  return Status::ok;
}
#endif

inline bool dense_of(const Operand& operand, DType dtype) {
  int64_t stride = 1;
  for (int d = operand.rank - 1; d >= 0; --d) {
    if (operand.dims[d] != 1 && operand.strides[d] != stride) return false;
    stride *= operand.dims[d];
  }
  return operand.dtype == dtype;
}

// The products of linear_int8 and linear_int8_packed: `n_in` operands without the panels.
inline Status run_linear_int8(KernelCall& call, int n_in, const char* panels) {
  const Operand &x = call.in[0], &w = call.in[1], &y = call.out[0];
  if (n_in < 3 || w.rank != 2 || x.rank < 1 || !dense_of(x, DType::f32) || !dense_of(w, DType::i8) || !dense_of(y, DType::f32)) return Status::unsupported;
  LinearInt8 job{};
  job.pool = call.pool;
  job.n = w.dims[0];
  job.k = w.dims[1];
  int64_t m = 1;
  for (int d = 0; d + 1 < x.rank; ++d) m *= x.dims[d];
  job.pitch = round_up(job.k, 64);
  job.w = reinterpret_cast<const int8_t*>(w.data);
  job.scale = reinterpret_cast<const float*>(call.in[2].data);
  job.bias = n_in > 3 ? reinterpret_cast<const float*>(call.in[3].data) : nullptr;
  job.panels = panels;
  const int64_t ahead = min64(m, kAhead8);
  const size_t scales = size_t(round_up(ahead * int64_t(sizeof(RowScale8)), 64));
  char* scratch = static_cast<char*>(shared_scratch(call.pool, scales + size_t((ahead + 1) * job.pitch)));
  if (scratch == nullptr) return Status::out_of_memory;
  job.rows = reinterpret_cast<RowScale8*>(scratch);
  job.q = reinterpret_cast<uint8_t*>(scratch + scales);
  for (int64_t i = 0; i <= ahead; ++i) __builtin_memset(job.q + i * job.pitch + job.k, 0, size_t(job.pitch - job.k));
  __builtin_memset(job.q, 1, size_t(job.k));
  for (int64_t row = 0; row < m; row += kAhead8) {
    job.m = min64(kAhead8, m - row);
    job.x = reinterpret_cast<const float*>(x.data) + row * job.k;
    job.y = reinterpret_cast<float*>(y.data) + row * job.n;
    parallel_ranges(call.pool, job.m, 0.3 * static_cast<double>(job.k), [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) quantize_row8(job.x + i * job.k, job.k, job.q + (i + 1) * job.pitch, job.rows + i);
    });
    parallel_for(
        call.pool, ceil_div(job.n, kColumns8),
        [](void* context, int64_t task, int worker) {
          LinearInt8& columns = *static_cast<LinearInt8*>(context);
          if (!linear_int8_columns(columns, task * kColumns8, worker)) __atomic_store_n(&columns.failed, true, __ATOMIC_RELAXED);
        },
        &job);
    if (job.failed) return Status::out_of_memory;
  }
  return Status::ok;
}

// in[0] x f32 [..., K], in[1] weight i8 [N, K], in[2] scales f32 of N elements, in[3] bias f32 [N]?; out[0] y f32 [..., N]. All dense.
static Status linear_int8(KernelCall& call) { return run_linear_int8(call, call.n_in, nullptr); }

// The same with what pack_int8 made of the weight as the last operand.
static Status linear_int8_packed(KernelCall& call) {
#if defined(__aarch64__)
  return run_linear_int8(call, call.n_in - 1, nullptr);
#else
  return run_linear_int8(call, call.n_in - 1, panels_in(call.in[call.n_in - 1].data));
#endif
}

static const KernelEntry kLinearInt8Kernels[] = {{"linear_int8", linear_int8}, {"linear_int8_packed", linear_int8_packed}, {"pack_int8", pack_int8}};

}  // namespace
}  // namespace kaimo
