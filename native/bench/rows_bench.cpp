// Nanoseconds an element of elementwise operations, in the first-level cache, and of kernels over rows at the shapes of `kaimo bench`.
//   g++ -std=c++17 -O2 -ftree-vectorize -fno-math-errno -fno-trapping-math -mavx2 -mfma -mf16c native/bench/rows_bench.cpp -o rows_bench -pthread
//   ./rows_bench [threads] [filter]      KAIMO_BENCH_CPU=1: processor time instead of the clock
#include <cstdio>
#include <string>

#include "../kernels/elementwise.h"
#include "../kernels/norm.h"
#include "../kernels/softmax.h"
#include "bench_pool.h"
#include "bench_time.h"

using namespace kaimo;

struct Values {
  std::vector<float> memory;
  Operand view;
  Values(int64_t rows, int64_t columns) : memory(size_t(rows * columns) + 16) {
    // On a cache line, as the engine's buffers are.
    float* const data = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) / sizeof(float);
    for (int64_t i = 0; i < rows * columns; ++i) data[i] = float(int(i * 7919 % 1001) - 500) / 200;
    view = Operand{reinterpret_cast<char*>(data), DType::f32, 2, {rows, columns}, {columns, 1}};
  }
};

// Rates of one "flop" an element are elements a nanosecond.
template <typename F>
void report(const char* name, int64_t elements, F f) {
  std::printf("%-32s %8.3f ns\n", name, 1 / best_rate(double(elements), f));
  std::fflush(stdout);
}

int main(int argc, char** argv) {
  Pool pool(argc > 1 ? std::atoi(argv[1]) : 1);
  const auto wanted = [&](const char* name) { return argc <= 2 || std::string(name).find(argv[2]) != std::string::npos; };
  alignas(64) static float x[512], y[512], z[512];
  for (int i = 0; i < 512; ++i) x[i] = y[i] = float(i % 101) / 40 - 1.2f;
  for (const OpEntry& op : kOps) {
    const std::string name = op.name;
    if (name.size() < 4 || name.compare(name.size() - 4, 4, ".f32") != 0 || name.find('+') != std::string::npos || !wanted(op.name)) continue;
    report(op.name, 512 * 64, [&] {
      for (int i = 0; i < 64; ++i) op.run(z, x, y, y, 512);
      return Status::ok;
    });
  }
  const auto rows = [&](const char* name, Kernel kernel, int64_t count, int64_t columns, const std::vector<int64_t>& ints, int n_in) {
    if (!wanted(name)) return;
    Values in(count, columns), out(count, columns), weight(1, columns), bias(1, columns);
    const Operand ins[] = {in.view, weight.view, bias.view};
    const double floats[] = {1e-5};
    KernelCall call{&pool, ins, &out.view, n_in, 1, ints.data(), int32_t(ints.size()), floats, 1, {}};
    report(name, count * columns, [&] { return kernel(call); });
  };
  const auto norm_grad = [&](const char* name, int64_t count, int64_t columns) {
    if (!wanted(name)) return;
    Values ct(count, columns), x(count, columns), weight(1, columns), dx(count, columns), dweight(1, columns), dbias(1, columns);
    for (Values* row : {&weight, &dweight, &dbias}) {
      row->view.rank = 1;
      row->view.dims[0] = columns;
      row->view.strides[0] = 1;
    }
    const Operand ins[] = {ct.view, x.view, weight.view}, outs[] = {dx.view, dweight.view, dbias.view};
    const int64_t ints[] = {1, 1, 1};
    const double floats[] = {1e-5};
    KernelCall call{&pool, ins, outs, 3, 3, ints, 3, floats, 1, {}};
    report(name, count * columns, [&] { return layer_norm_grad_kernel(call); });
  };
  norm_grad("layer_norm_grad_1024x768", 1024, 768);
  rows("softmax_32x128", softmax_kernel, 32, 128, {1}, 1);
  rows("layer_norm_4x768", layer_norm_kernel, 4, 768, {1, 1, 1}, 3);
  rows("softmax_1536x128", softmax_kernel, 1536, 128, {1}, 1);
  rows("log_softmax_1536x128", log_softmax_kernel, 1536, 128, {1}, 1);
  rows("layer_norm_1024x768", layer_norm_kernel, 1024, 768, {1, 1, 1}, 3);
  rows("rms_norm_1024x768", rms_norm_kernel, 1024, 768, {1, 0, 1}, 2);
}
