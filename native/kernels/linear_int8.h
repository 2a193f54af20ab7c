// linear_int8: y = x W^T + bias with W in 8 bits and one scale a row, and each row of x brought to 8 bits by its largest magnitude (dynamic,
// symmetric, per token). Sums of products are exact; then y = (sum * scale_x) * scale_w + bias, rounded at each step, so that every
// instruction set and the body of the composite (src/tensor/functional/linear-int8.ts) give the same bits.
// A row that holds NaN or infinities gives NaN.
#pragma once
#include "int8_dot.h"
#include "kernel.h"
#include "view.h"

namespace kaimo {
namespace {

// Activations of a block of K, rows of a tile of them, stay in the L1 cache.
constexpr int64_t kBlock8 = 1536;
// Rows of x that are quantised ahead of the products.
constexpr int64_t kAhead8 = 1024;

struct LinearInt8 {
  Pool* pool;
  int64_t m, n, k, pitch;  // pitch: quantised elements from row to row
  const float* x;
  const int8_t* w;
  const float *scale, *bias;  // bias may be null
  float* y;
  Activation8* q;
  float* scale_x;
};

KAIMO_NOINLINE void quantize_row8(const float* x, int64_t k, int64_t pitch, Activation8* q, float* scale) {
  // Magnitudes compare like their bits, NaN above all.
  typedef int32_t Bits __attribute__((may_alias));
  const Bits* from = reinterpret_cast<const Bits*>(x);
  int32_t largest = 0;
  for (int64_t i = 0; i < k; ++i) {
    const int32_t magnitude = from[i] & 0x7fffffff;
    largest = magnitude > largest ? magnitude : largest;
  }
  float top;
  __builtin_memcpy(&top, &largest, sizeof top);
  *scale = top / 127.0f;
  const float inverse = 127.0f / top;
  if (!(inverse > 0.0f && inverse <= 3.40282347e+38f)) {
    for (int64_t i = 0; i < k; ++i) q[i] = Activation8(kOffset8);
  } else {
    // Adding 1.5 * 2^23 rounds to the nearest integer, ties to even.
    constexpr float kMagic = 12582912.0f;
    for (int64_t i = 0; i < k; ++i) q[i] = Activation8(int32_t((x[i] * inverse + kMagic) - kMagic) + kOffset8);
  }
  for (int64_t i = k; i < pitch; ++i) q[i] = 0;
}

// Rows [row0, row0 + rows) of a tile, columns [col0, col0 + cols).
KAIMO_NOINLINE void linear_int8_tile(const LinearInt8& job, int64_t row0, int64_t rows, int64_t col0, int64_t cols, const int32_t* excess) {
  alignas(64) int32_t sums[kRows8 * kTile8];
  const int64_t blocks = ceil_div(job.k, kBlock8), kb = round_up(ceil_div(job.k, blocks), 64);
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
  const float* scale = job.scale + col0;
  const float* bias = job.bias ? job.bias + col0 : nullptr;
  for (int64_t i = 0; i < rows; ++i) {
    const int32_t* sum = sums + i * kTile8;
    const float sx = job.scale_x[row0 + i];
    float* y = job.y + (row0 + i) * job.n + col0;
    if (bias != nullptr) {
      for (int64_t j = 0; j < cols; ++j) y[j] = float(int32_t(uint32_t(sum[j]) - uint32_t(excess[j]))) * sx * scale[j] + bias[j];
    } else {
      for (int64_t j = 0; j < cols; ++j) y[j] = float(int32_t(uint32_t(sum[j]) - uint32_t(excess[j]))) * sx * scale[j];
    }
  }
}

inline void linear_int8_columns(const LinearInt8& job, int64_t col0) {
  const int64_t cols = min64(kTile8, job.n - col0), tiles = ceil_div(job.m, kRows8);
  int32_t excess[kTile8] = {};
  for (int64_t j = 0; kOffset8 != 0 && j < cols; ++j) excess[j] = int32_t(uint32_t(kOffset8) * uint32_t(weight_sum8(job.w + (col0 + j) * job.k, job.k)));
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = job.m * t / tiles;
    linear_int8_tile(job, row, job.m * (t + 1) / tiles - row, col0, cols, excess);
  }
}

inline bool dense_of(const Operand& operand, DType dtype) {
  int64_t stride = 1;
  for (int d = operand.rank - 1; d >= 0; --d) {
    if (operand.dims[d] != 1 && operand.strides[d] != stride) return false;
    stride *= operand.dims[d];
  }
  return operand.dtype == dtype;
}

// in[0] x f32 [..., K], in[1] weight i8 [N, K], in[2] scales f32 of N elements, in[3] bias f32 [N]?; out[0] y f32 [..., N]. All dense.
static Status linear_int8(KernelCall& call) {
  const Operand &x = call.in[0], &w = call.in[1], &y = call.out[0];
  if (call.n_in < 3 || w.rank != 2 || x.rank < 1 || !dense_of(x, DType::f32) || !dense_of(w, DType::i8) || !dense_of(y, DType::f32)) return Status::unsupported;
  LinearInt8 job{};
  job.pool = call.pool;
  job.n = w.dims[0];
  job.k = w.dims[1];
  int64_t m = 1;
  for (int d = 0; d + 1 < x.rank; ++d) m *= x.dims[d];
  job.pitch = round_up(job.k, 64);
  job.w = reinterpret_cast<const int8_t*>(w.data);
  job.scale = reinterpret_cast<const float*>(call.in[2].data);
  job.bias = call.n_in > 3 ? reinterpret_cast<const float*>(call.in[3].data) : nullptr;
  const int64_t ahead = min64(m, kAhead8);
  const size_t scales = size_t(round_up(ahead * 4, 64));
  char* scratch = static_cast<char*>(shared_scratch(call.pool, scales + size_t(ahead * job.pitch) * sizeof(Activation8)));
  if (scratch == nullptr) return Status::out_of_memory;
  job.scale_x = reinterpret_cast<float*>(scratch);
  job.q = reinterpret_cast<Activation8*>(scratch + scales);
  for (int64_t row = 0; row < m; row += kAhead8) {
    job.m = min64(kAhead8, m - row);
    job.x = reinterpret_cast<const float*>(x.data) + row * job.k;
    job.y = reinterpret_cast<float*>(y.data) + row * job.n;
    parallel_ranges(call.pool, job.m, 0.3 * static_cast<double>(job.k), [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) quantize_row8(job.x + i * job.k, job.k, job.pitch, job.q + i * job.pitch, job.scale_x + i);
    });
    parallel_for(
        call.pool, ceil_div(job.n, kTile8), [](void* context, int64_t task, int) { linear_int8_columns(*static_cast<LinearInt8*>(context), task * kTile8); }, &job);
  }
  return Status::ok;
}

static const KernelEntry kLinearInt8Kernels[] = {{"linear_int8", linear_int8}};

}  // namespace
}  // namespace kaimo
