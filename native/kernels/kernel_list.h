// A table of kernels under construction.
#pragma once
#include "kernel.h"

namespace kaimo {

constexpr int32_t kMaxKernels = 256;

struct KernelList {
  KernelEntry entries[kMaxKernels];
  int32_t count;

  template <size_t N>
  void add(const KernelEntry (&kernels)[N]) {
    for (const KernelEntry& kernel : kernels) {
      if (count < kMaxKernels) entries[count++] = kernel;
    }
  }
};

// Kernels that move bits or walk indices: one build serves every instruction set.
void add_common_kernels(KernelList& list);

}  // namespace kaimo
