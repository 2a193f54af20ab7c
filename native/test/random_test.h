// Threefry's published known answers, and random_bits against one block at a time.
#pragma once
#include "../kernels/random.h"
#include "check.h"

namespace kaimo {

static void test_threefry() {
  // Threefry2x32-20 of the Random123 distribution: counter words, key words, result.
  const uint32_t known[3][6] = {{0, 0, 0, 0, 0x6b200159, 0x99ba4efe},
                                {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7},
                                {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0}};
  for (const auto& k : known) {
    uint32_t x0 = k[0], x1 = k[1];
    threefry2x32<1>(k[2], k[3], &x0, &x1);
    check(x0 == k[4] && x1 == k[5], "threefry known answer");
  }
}

static void test_random_bits() {
  Tensor key = dense(DType::u32, {2}), counter = dense(DType::u32, {2});
  const uint32_t key_words[2] = {0x13198a2e, 0x03707344};
  std::memcpy(key.base(), key_words, 8);
  for (const uint64_t start : {uint64_t{0}, uint64_t{0xfffffff0}, uint64_t{0xffffffffffffff00}})
    for (const int64_t n : {0, 1, 2, 63, 64, 65, 1001, 300001}) {
      std::memcpy(counter.base(), &start, 8);
      Tensor out = dense(DType::u32, {n});
      run(find(kRandomKernels, "random_bits"), {key.view, counter.view}, {out.view}, {5}, {}, n % 2 ? 2 : 1);
      bool good = true;
      for (int64_t i = 0; i < n; i++) {
        const uint64_t block = start + 5 + static_cast<uint64_t>(i / 2);
        uint32_t words[2] = {static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(block)};
        threefry2x32<1>(key_words[0], key_words[1], &words[0], &words[1]);
        good = good && reinterpret_cast<uint32_t*>(out.base())[i] == words[i % 2];
      }
      check(good, "random_bits " + std::to_string(n));
    }
}

}  // namespace kaimo
