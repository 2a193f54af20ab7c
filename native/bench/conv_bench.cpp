// Best GFLOP/s of convolution, its gradients and the matrix products of the same size, at shapes of ResNets and of a small network in
// training; NCHW (OIHW kernels) and NHWC (HWIO, "_cl").
//   g++ -std=c++17 -O2 -ftree-vectorize -mavx2 -mfma -mf16c native/bench/conv_bench.cpp -o conv_bench -pthread
//   ./conv_bench [threads] [filter] [nogemm]      KAIMO_BENCH_CPU=1: processor time instead of the clock
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "../kernels/conv_grad.h"
#include "bench_pool.h"
#include "bench_time.h"

using namespace kaimo;

static Operand tensor(std::vector<float>& memory, int64_t a, int64_t b, int64_t c, int64_t d) {
  memory.resize(size_t(a * b * c * d));
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = float(i % 17) - 8;
  return Operand{reinterpret_cast<char*>(memory.data()), DType::f32, 4, {a, b, c, d}, {b * c * d, c * d, d, 1}};
}

// The product [m, k] [k, n] as the engine runs it; `transposed`: A is stored [k, m].
static double gemm_rate(Pool& pool, int64_t m, int64_t k, int64_t n, bool transposed) {
  std::vector<float> a(size_t(m * k), 1.5f), b(size_t(k * n), 0.5f), c(size_t(m * n));
  Gemm<float> g;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a = a.data();
  g.a_rs = transposed ? 1 : k;
  g.a_cs = transposed ? m : 1;
  g.b = b.data();
  g.b_rs = n;
  g.b_cs = 1;
  g.c = c.data();
  g.ldc = n;
  std::vector<char> memory(gemm_workspace(g) + 64);
  char* aligned = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
  return best_rate(2.0 * double(m) * double(n) * double(k), [&] { return matrix_product(&pool, g, aligned); });
}

static void print_pair(const char* label, double conv, double gemm) {
  if (gemm > 0) {
    std::printf("  %s %6.1f %6.1f %4.0f%%", label, conv, gemm, 100 * conv / gemm);
  } else {
    std::printf("  %s %6.1f", label, conv);
  }
}

struct Shape {
  int64_t k, ci, co, size, stride;
};

static void run_case(Pool& pool, const Shape& s, int64_t batch, bool last, const char* filter, bool gemm) {
  const int64_t k = s.k, ci = s.ci, co = s.co, size = s.size, stride = s.stride;
  const std::string name = "conv_" + std::to_string(k) + "x" + std::to_string(k) + "_" + std::to_string(ci) + "to" + std::to_string(co) + "_" +
                           std::to_string(size) + "_s" + std::to_string(stride) + "_b" + std::to_string(batch) + (last ? "_cl" : "");
  if (filter && name.find(filter) == std::string::npos) return;
  const int64_t pad = k / 2, out = (size + 2 * pad - k) / stride + 1;
  std::vector<float> xm, wm, ym, dxm, dwm;
  const auto image = [&](std::vector<float>& m, int64_t c, int64_t edge) { return last ? tensor(m, batch, edge, edge, c) : tensor(m, batch, c, edge, edge); };
  const auto weight = [&](std::vector<float>& m) { return last ? tensor(m, k, k, ci, co) : tensor(m, co, ci, k, k); };
  Operand in[2] = {image(xm, ci, size), weight(wm)}, y = image(ym, co, out), dx = image(dxm, ci, size), dw = weight(dwm);
  const std::vector<int64_t> dims = last ? std::vector<int64_t>{0, 3, 1, 2, 2, 3, 0, 1, 0, 3, 1, 2} : std::vector<int64_t>{0, 1, 2, 3, 1, 0, 2, 3, 0, 1, 2, 3};
  std::vector<int64_t> ints = {2};
  ints.insert(ints.end(), dims.begin(), dims.end());
  for (int64_t v : {stride, stride, pad, pad, pad, pad, int64_t(1), int64_t(1), int64_t(1), int64_t(1), int64_t(1), int64_t(1), int64_t(0)}) ints.push_back(v);
  const int64_t rows = batch * out * out, depth = ci * k * k;
  const double flops = 2.0 * double(rows) * double(co * depth);
  const Operand dx_in[2] = {y, in[1]}, dw_in[2] = {in[0], y};
  KernelCall call{&pool, in, &y, 2, 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
  KernelCall dx_call{&pool, dx_in, &dx, 2, 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
  KernelCall dw_call{&pool, dw_in, &dw, 2, 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
  std::printf("%-36s", name.c_str());
  print_pair("y", best_rate(flops, [&] { return convolution(call); }), gemm ? gemm_rate(pool, rows, depth, co, false) : 0);
  print_pair("dx", best_rate(flops, [&] { return conv_input_grad(dx_call); }), gemm ? gemm_rate(pool, rows, k * k * co, ci, false) : 0);
  print_pair("dw", best_rate(flops, [&] { return conv_weight_grad(dw_call); }), gemm ? gemm_rate(pool, depth, rows, co, true) : 0);
  std::printf("\n");
  std::fflush(stdout);
}

int main(int argc, char** argv) {
  Pool pool(argc > 1 ? std::atoi(argv[1]) : 1);
  const char* filter = argc > 2 && argv[2][0] ? argv[2] : nullptr;
  const bool gemm = !(argc > 3 && std::strcmp(argv[3], "nogemm") == 0);
  const Shape small[] = {{3, 1, 32, 28, 1}, {3, 32, 64, 14, 1}, {3, 64, 64, 14, 1}, {3, 64, 128, 7, 1}};
  const Shape resnet[] = {{3, 64, 64, 56, 1},  {3, 128, 128, 28, 1}, {3, 256, 256, 14, 1}, {3, 512, 512, 7, 1},   {3, 128, 128, 56, 2},
                          {1, 64, 256, 56, 1}, {1, 256, 64, 56, 1},  {1, 1024, 256, 14, 1}, {1, 256, 512, 56, 2}, {7, 3, 64, 224, 2}};
  for (const Shape& s : small) run_case(pool, s, 128, true, filter, gemm);
  for (const Shape& s : small) run_case(pool, s, 128, false, filter, gemm);
  for (const Shape& s : resnet) {
    for (int64_t batch : {1, 8, 16}) {
      for (bool last : {false, true}) run_case(pool, s, batch, last, filter, gemm);
    }
  }
}
