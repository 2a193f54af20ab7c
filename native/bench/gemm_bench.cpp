// GFLOP/s of the matrix product at the shapes that matter. Build and run:
//   g++ -std=c++17 -O3 -mavx2 -mfma -mf16c native/bench/gemm_bench.cpp -o gemm_bench -pthread && ./gemm_bench [threads]
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "bench_pool.h"
#include "bench_time.h"
#include "../kernels/dot_general.h"

using namespace kaimo;

struct Case {
  const char* name;
  int64_t batch, m, n, k;
  bool a_t, b_t;  // stored transposed: a as k x m, b as n x k
  bool packed;
};

static Operand matrix(float* data, int64_t batch, int64_t rows, int64_t cols) {
  Operand o{reinterpret_cast<char*>(data), DType::f32, 3, {batch, rows, cols}, {rows * cols, cols, 1}};
  return o;
}

static Operand flat(Operand o) {
  for (int d = 0; d < 2; ++d) {
    o.dims[d] = o.dims[d + 1];
    o.strides[d] = o.strides[d + 1];
  }
  o.rank = 2;
  return o;
}

// Products come from a ring of buffers, as a training step's do: what was read or written last is not in the cache.
constexpr int kRing = 4;

static double run_case(Pool& pool, const Case& c) {
  const size_t sizes[3] = {size_t(c.batch * c.m * c.k), size_t(c.batch * c.k * c.n), size_t(c.batch * c.m * c.n)};
  std::vector<float> a[kRing], b[kRing], out[kRing], packed(size_t(c.k * (c.n + 64)));
  const bool batched = c.batch > 1;
  const int64_t shift = batched ? 1 : 0, lc = (c.a_t ? 0 : 1) + shift, rc = (c.b_t ? 1 : 0) + shift;
  const int64_t ints_b[] = {1, 1, 0, 0, lc, rc, 0}, ints_f[] = {0, 1, lc, rc, 0}, ints_p[] = {1, rc};
  Operand in[kRing][3], result[kRing];
  KernelCall calls[kRing];
  for (int r = 0; r < kRing; ++r) {
    a[r].resize(sizes[0]);
    b[r].resize(sizes[1]);
    out[r].resize(sizes[2]);
    for (size_t i = 0; i < sizes[0]; ++i) a[r][i] = float(i % 13) - 6;
    for (size_t i = 0; i < sizes[1]; ++i) b[r][i] = float(i % 11) - 5;
    in[r][0] = c.a_t ? matrix(a[r].data(), c.batch, c.k, c.m) : matrix(a[r].data(), c.batch, c.m, c.k);
    in[r][1] = c.b_t ? matrix(b[r].data(), c.batch, c.n, c.k) : matrix(b[r].data(), c.batch, c.k, c.n);
    result[r] = matrix(out[r].data(), c.batch, c.m, c.n);
    if (!batched) {
      in[r][0] = flat(in[r][0]);
      in[r][1] = flat(in[r][1]);
      result[r] = flat(result[r]);
    }
    calls[r] = KernelCall{&pool, in[r], &result[r], 2, 1, batched ? ints_b : ints_f, batched ? 7 : 5, nullptr, 0, {}};
    if (c.packed) {
      Operand p{reinterpret_cast<char*>(packed.data()), DType::f32, 1, {int64_t(packed.size())}, {1}};
      KernelCall pack{&pool, &in[r][1], &p, 1, 1, ints_p, 2, nullptr, 0, {}};
      if (pack_rhs(pack) != Status::ok) return 0;
      in[r][2] = p;
      calls[r].n_in = 3;
    }
  }
  const Kernel kernel = c.packed ? dot_general_packed : dot_general;
  const double flops = 2.0 * double(c.batch) * double(c.m) * double(c.n) * double(c.k);
  const int inner = std::max(1, int(6e8 / flops));
  std::vector<double> times;
  int turn = 0;
  for (int r = 0; r < 15; ++r) {
    const double t0 = now();
    for (int i = 0; i < inner; ++i) {
      if (kernel(calls[turn++ % kRing]) != Status::ok) return 0;
    }
    times.push_back((now() - t0) / inner);
    if (r > 4 && flops * r > 2e11) break;
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  std::printf("%-28s %10.4f ms  median %6.1f  best %6.1f GFLOP/s\n", c.name, median * 1e3, flops / median / 1e9, flops / times[0] / 1e9);
  return median;
}

int main(int argc, char** argv) {
  Pool pool(argc > 1 ? std::atoi(argv[1]) : 1);
  const Case cases[] = {
      {"mm_1024x1024x1024", 1, 1024, 1024, 1024, false, false, false},
      {"mm_2048x2048x2048", 1, 2048, 2048, 2048, false, false, false},
      {"mm_1000x1000x1000_bT", 1, 1000, 1000, 1000, false, true, false},
      {"mm_128x768x3072", 1, 128, 3072, 768, false, false, false},
      {"linear_128x768x3072", 1, 128, 3072, 768, false, true, false},
      {"linear_128x768x3072_packed", 1, 128, 3072, 768, false, true, true},
      {"linear_8x768x3072_packed", 1, 8, 3072, 768, false, true, true},
      {"mm_1x4096x4096", 1, 1, 4096, 4096, false, false, false},
      {"linear_1x4096x4096", 1, 1, 4096, 4096, false, true, false},
      {"linear_1x896x4864", 1, 1, 4864, 896, false, true, false},
      {"linear_1x4096x4096_packed", 1, 1, 4096, 4096, false, true, true},
      {"mlp1_64x784x256", 1, 64, 256, 784, false, true, false},
      {"mlp1_dw_256x64x784", 1, 256, 784, 64, true, false, false},
      {"mlp2_64x256x10", 1, 64, 10, 256, false, true, false},
      {"mlp2_dw_10x64x256", 1, 10, 256, 64, true, false, false},
      {"mlp2_dx_64x10x256", 1, 64, 256, 10, false, false, false},
      {"attn_qk_12x128x64x128", 12, 128, 128, 64, false, true, false},
      {"attn_av_12x128x128x64", 12, 128, 64, 128, false, false, false},
      {"attn_qk_12x1024x64x1024", 12, 1024, 1024, 64, false, true, false},
      {"matvec_4096x4096x1", 1, 4096, 1, 4096, false, false, false},
      {"tiny_4x4x4", 1, 4, 4, 4, false, false, false},
  };
  for (const Case& c : cases) {
    if (argc > 2 && !std::strstr(c.name, argv[2])) continue;
    run_case(pool, c);
  }
}
