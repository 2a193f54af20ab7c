// random_bits: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once
#include "view.h"

namespace kaimo {
namespace {

// N counters at once; x0, x1: the counter words going in, the random words coming out.
template <int N>
inline void threefry2x32(uint32_t key0, uint32_t key1, uint32_t* x0, uint32_t* x1) {
  constexpr int kRotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const uint32_t keys[3] = {key0, key1, key0 ^ key1 ^ 0x1bd11bdau};
  for (int i = 0; i < N; i++) {
    x0[i] += keys[0];
    x1[i] += keys[1];
  }
#pragma GCC unroll 5
  for (uint32_t group = 0; group < 5; group++) {
#pragma GCC unroll 4
    for (uint32_t round = 0; round < 4; round++) {
      const int rotation = kRotations[(group % 2) * 4 + round];
      for (int i = 0; i < N; i++) {
        x0[i] += x1[i];
        x1[i] = (x1[i] << rotation | x1[i] >> (32 - rotation)) ^ x0[i];
      }
    }
    const uint32_t k0 = keys[(group + 1) % 3], k1 = keys[(group + 2) % 3] + group + 1;
    for (int i = 0; i < N; i++) {
      x0[i] += k0;
      x1[i] += k1;
    }
  }
}

inline uint64_t two_words(const Operand& pair) {
  const uint32_t* words = reinterpret_cast<const uint32_t*>(pair.data);
  const int64_t stride = pair.rank > 0 ? pair.strides[pair.rank - 1] : 1;
  return words[0] | static_cast<uint64_t>(words[stride]) << 32;
}

// random_bits: in[0] key u32[2] (k0, k1); in[1], optional, counter u32[2] (lo, hi); out[0] u32, dense.
// Element i is word i % 2 of block counter + ints[0] + i / 2 (ints[0]: an optional offset). The Threefry counter of a block is
// (high word, low word) of that 64-bit number.
static Status random_bits_kernel(KernelCall& call) {
  const uint64_t key = two_words(call.in[0]);
  const uint64_t first = (call.n_in > 1 ? two_words(call.in[1]) : 0) + (call.n_ints > 0 ? static_cast<uint64_t>(call.ints[0]) : 0);
  uint32_t* out = reinterpret_cast<uint32_t*>(call.out[0].data);
  const int64_t n = element_count(call.out[0]);
  constexpr int kBatch = 32;
  const int64_t batches = (n + 2 * kBatch - 1) / (2 * kBatch);
  parallel_ranges(call.pool, batches, 60, [&](int64_t begin, int64_t end, int) {
    uint32_t x0[kBatch], x1[kBatch];
    for (int64_t batch = begin; batch < end; batch++) {
      for (int i = 0; i < kBatch; i++) {
        const uint64_t counter = first + static_cast<uint64_t>(batch * kBatch + i);
        x0[i] = static_cast<uint32_t>(counter >> 32);
        x1[i] = static_cast<uint32_t>(counter);
      }
      threefry2x32<kBatch>(static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32), x0, x1);
      uint32_t* to = out + batch * 2 * kBatch;
      const int64_t left = n - batch * 2 * kBatch;
      if (left >= 2 * kBatch) {
        for (int i = 0; i < kBatch; i++) {
          to[2 * i] = x0[i];
          to[2 * i + 1] = x1[i];
        }
      } else {
        for (int64_t i = 0; i < left; i++) to[i] = i % 2 ? x1[i / 2] : x0[i / 2];
      }
    }
  });
  return Status::ok;
}

static const KernelEntry kRandomKernels[] = {
    {"random_bits", random_bits_kernel},
};

}  // namespace
}  // namespace kaimo
