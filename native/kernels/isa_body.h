// Every kernel, compiled once for each instruction set: included by the isa_*.cpp files alone. All that it defines has internal
// linkage, so that code of one instruction set can never be linked into another; only the table's function is seen outside.
#pragma once
#include "../runtime/isa.h"
#include "arg_reduce.h"
#include "conv.h"
#include "copy.h"
#include "dot_general.h"
#include "elementwise.h"
#include "indexing.h"
#include "norm.h"
#include "random.h"
#include "reduce.h"
#include "scatter.h"
#include "softmax.h"

namespace kaimo {
namespace {

constexpr int32_t kMaxKernels = 256;

struct KernelList {
  KernelEntry entries[kMaxKernels];
  const char* opcodes[kOpCount];
  IsaTable table;

  template <size_t N>
  void add(const KernelEntry (&kernels)[N]) {
    for (const KernelEntry& kernel : kernels) {
      if (table.n_kernels < kMaxKernels) entries[table.n_kernels++] = kernel;
    }
  }
};

const IsaTable* fill_table(KernelList& list, const char* name) {
  if (list.table.name != nullptr) return &list.table;
  list.add(kElementwiseKernels);
  list.add(kCopyKernels);
  list.add(kReduceKernels);
  list.add(kArgReduceKernels);
  list.add(kDotGeneralKernels);
  list.add(kConvolutionKernels);
  list.add(kIndexingKernels);
  list.add(kScatterKernels);
  list.add(kRandomKernels);
  list.add(kSoftmaxKernels);
  list.add(kNormKernels);
  for (int32_t i = 0; i < kOpCount; i++) list.opcodes[i] = kOps[i].name;
  list.table.kernels = list.entries;
  list.table.opcodes = list.opcodes;
  list.table.n_opcodes = kOpCount;
  list.table.name = name;
  return &list.table;
}

KernelList kernel_list;

}  // namespace
}  // namespace kaimo
