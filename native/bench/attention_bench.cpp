// Best GFLOP/s of attention, forward and backward, and of a matrix product of the same size.
//   g++ -std=c++17 -O2 -ftree-vectorize -mavx2 -mfma -mf16c native/bench/attention_bench.cpp -o attention_bench -pthread
//   ./attention_bench [threads] [filter]      KAIMO_BENCH_CPU=1: processor time instead of the clock
#include <algorithm>
#include <cstdio>
#include <string>

#include "../kernels/attention_grad.h"
#include "bench_pool.h"
#include "bench_time.h"

using namespace kaimo;

struct Values {
  std::vector<float> memory;
  Operand view;
  Values(int64_t a, int64_t b, int64_t c, int64_t d) : memory(size_t(a * b * c * d)) {
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = float(int(i * 7919 % 101) - 50) / 50;
    view = Operand{reinterpret_cast<char*>(memory.data()), DType::f32, 4, {a, b, c, d}, {b * c * d, c * d, d, 1}};
  }
};

int main(int argc, char** argv) {
  Pool pool(argc > 1 ? std::atoi(argv[1]) : 1);
  const struct {
    const char* name;
    int64_t batch, heads, key_heads, queries, keys, d, causal, dropped;
  } cases[] = {{"h12_s128_d64", 1, 12, 12, 128, 128, 64, 0, 0},   {"h12_s1024_d64", 1, 12, 12, 1024, 1024, 64, 0, 0}, {"b4_h12_s256_d64_causal", 4, 12, 12, 256, 256, 64, 1, 0}, {"b4_h12_s256_d64_masked_dropout", 4, 12, 12, 256, 256, 64, 0, 1},
               {"h16_k2_s1_512_d64", 1, 16, 2, 1, 512, 64, 0, 0}, {"h16_k2_s64_512_d128", 1, 16, 2, 64, 512, 128, 0, 0}, {"h1_s1024_d64", 1, 1, 1, 1024, 1024, 64, 0, 0}};
  for (const auto& c : cases) {
    if (argc > 2 && std::string(c.name).find(argv[2]) == std::string::npos) continue;
    Values q(c.batch, c.heads, c.queries, c.d), k(c.batch, c.key_heads, c.keys, c.d), v(c.batch, c.key_heads, c.keys, c.d), g(c.batch, c.heads, c.queries, c.d);
    Values y = q, dq = q, dk = k, dv = v, totals(c.batch, c.heads, c.queries, 1), delta = totals;
    totals.view.rank = delta.view.rank = 3;
    for (Values* x : {&y, &dq, &dk, &dv, &totals, &delta}) x->view.data = reinterpret_cast<char*>(x->memory.data());
    // As a decoder in training has it: causality as a bool mask, a tenth of the weights dropped.
    std::vector<char> mask(size_t(c.queries * c.keys)), keep(size_t(c.dropped ? c.batch * c.heads * c.queries * c.keys : 0));
    for (int64_t i = 0; i < c.queries * c.keys; ++i) mask[size_t(i)] = i % c.keys <= i / c.keys;
    for (size_t i = 0; i < keep.size(); ++i) keep[i] = i * 2654435761u % 1009 > 100;
    const Operand mask_view{mask.data(), DType::boolean, 4, {1, 1, c.queries, c.keys}, {0, 0, c.keys, 1}};
    const Operand keep_view{keep.data(), DType::boolean, 4, {c.batch, c.heads, c.queries, c.keys}, {c.heads * c.queries * c.keys, c.queries * c.keys, c.keys, 1}};
    const int64_t ints[] = {c.causal, c.dropped, 0, 0, c.dropped};
    const double floats[] = {0.125, 1 / 0.9};
    const int32_t more = c.dropped ? 2 : 0;
    const Operand in[] = {q.view, k.view, v.view, mask_view, keep_view}, out[] = {y.view, totals.view};
    const Operand grad_in[] = {g.view, totals.view, delta.view, q.view, k.view, v.view, mask_view, keep_view}, grad_out[] = {dq.view, dk.view, dv.view};
    KernelCall call{&pool, in, out, 3 + more, 2, ints, 5, floats, 2, {}}, grad{&pool, grad_in, grad_out, 6 + more, 3, ints, 5, floats, 2, {}};
    const double flops = 4.0 * double(c.batch * c.heads * c.queries * c.keys * c.d);
    std::printf("%-32s forward %6.1f", c.name, best_rate(flops, [&] { return sdpa_kernel(call); }));
    std::printf("  backward %6.1f GFLOP/s\n", best_rate(2.5 * flops, [&] { return sdpa_grad_kernel(grad); }));
    std::fflush(stdout);
  }
}
