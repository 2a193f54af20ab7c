// GFLOP/s of convolution and its gradients at ResNet-50's shapes, NCHW (OIHW kernels) and NHWC (HWIO).
//   g++ -std=c++17 -O3 -mavx2 -mfma -mf16c native/bench/conv_bench.cpp -o conv_bench -pthread && ./conv_bench [threads] [filter]
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "../kernels/conv_grad.h"
#include "bench_pool.h"

using namespace kaimo;

static double now() {
  static const clockid_t clock = std::getenv("KAIMO_BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

static Operand tensor(std::vector<float>& memory, int64_t a, int64_t b, int64_t c, int64_t d) {
  memory.resize(size_t(a * b * c * d));
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = float(i % 17) - 8;
  return Operand{reinterpret_cast<char*>(memory.data()), DType::f32, 4, {a, b, c, d}, {b * c * d, c * d, d, 1}};
}

static void measure(const std::string& name, double flops, Kernel kernel, KernelCall& call) {
  const int inner = std::max(1, int(2e8 / flops));
  std::vector<double> times;
  for (int r = 0; r < 7; ++r) {
    const double t0 = now();
    for (int i = 0; i < inner; ++i) {
      if (kernel(call) != Status::ok) {
        std::printf("%s failed\n", name.c_str());
        return;
      }
    }
    times.push_back((now() - t0) / inner);
  }
  std::sort(times.begin(), times.end());
  std::printf("%-44s %9.3f ms  median %6.1f  best %6.1f GFLOP/s\n", name.c_str(), times[3] * 1e3, flops / times[3] / 1e9, flops / times[0] / 1e9);
}

static void run_case(Pool& pool, int64_t k, int64_t ci, int64_t co, int64_t size, int64_t stride, int64_t batch, bool last, const char* filter) {
  const std::string name = "conv_" + std::to_string(k) + "x" + std::to_string(k) + "_" + std::to_string(ci) + "to" + std::to_string(co) + "_" +
                           std::to_string(size) + "_s" + std::to_string(stride) + "_b" + std::to_string(batch) + (last ? "_cl" : "");
  if (filter && name.find(filter) == std::string::npos) return;
  const int64_t pad = k / 2, out = (size + 2 * pad - k) / stride + 1;
  std::vector<float> xm, wm, ym, dxm, dwm;
  const auto image = [&](std::vector<float>& m, int64_t c, int64_t s) { return last ? tensor(m, batch, s, s, c) : tensor(m, batch, c, s, s); };
  const auto weight = [&](std::vector<float>& m) { return last ? tensor(m, k, k, ci, co) : tensor(m, co, ci, k, k); };
  Operand in[2] = {image(xm, ci, size), weight(wm)}, y = image(ym, co, out), dx = image(dxm, ci, size), dw = weight(dwm);
  const std::vector<int64_t> dims = last ? std::vector<int64_t>{0, 3, 1, 2, 2, 3, 0, 1, 0, 3, 1, 2} : std::vector<int64_t>{0, 1, 2, 3, 1, 0, 2, 3, 0, 1, 2, 3};
  std::vector<int64_t> ints = {2};
  ints.insert(ints.end(), dims.begin(), dims.end());
  for (int64_t v : {stride, stride, pad, pad, pad, pad, int64_t(1), int64_t(1), int64_t(1), int64_t(1), int64_t(1), int64_t(1), int64_t(0)}) ints.push_back(v);
  const double flops = 2.0 * double(batch * out * out) * double(co * ci * k * k);
  KernelCall call{&pool, in, &y, 2, 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
  measure(name, flops, convolution, call);
  const Operand dx_in[2] = {y, in[1]}, dw_in[2] = {in[0], y};
  KernelCall dx_call{&pool, dx_in, &dx, 2, 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
  measure("   input grad", flops, conv_input_grad, dx_call);
  KernelCall dw_call{&pool, dw_in, &dw, 2, 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
  measure("   weight grad", flops, conv_weight_grad, dw_call);
}

int main(int argc, char** argv) {
  Pool pool(argc > 1 ? std::atoi(argv[1]) : 1);
  const char* filter = argc > 2 ? argv[2] : nullptr;
  const int64_t shapes[][5] = {{3, 64, 64, 56, 1}, {3, 128, 128, 28, 1}, {3, 256, 256, 14, 1}, {3, 512, 512, 7, 1}, {3, 128, 128, 56, 2},
                               {1, 64, 256, 56, 1}, {1, 256, 64, 56, 1}, {1, 1024, 256, 14, 1}, {7, 3, 64, 224, 2}, {3, 1, 32, 28, 1}, {3, 32, 64, 14, 1}};
  for (const auto& s : shapes) {
    for (int64_t batch : {1, 8}) {
      for (bool last : {false, true}) run_case(pool, s[0], s[1], s[2], s[3], s[4], batch, last, filter);
    }
  }
}
