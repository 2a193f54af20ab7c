// The kernels that gain from wide registers, compiled once for each instruction set: included by the isa_*.cpp files alone. All that it defines has internal
// linkage, so that code of one instruction set can never be linked into another; only the table's function is seen outside.
#pragma once
#include "../runtime/isa.h"
#include "adam.h"
#include "arg_reduce.h"
#include "attention_grad.h"
#include "batch_norm.h"
#include "conv.h"
#include "conv_grad.h"
#include "cross_entropy.h"
#include "dot_general.h"
#include "elementwise.h"
#include "gru.h"
#include "kernel_list.h"
#include "linear_cross_entropy.h"
#include "lstm.h"
#include "linear_int8.h"
#include "machine.h"
#include "norm.h"
#include "random.h"
#include "reduce.h"
#include "simple_rnn.h"
#include "softmax.h"
#include "window.h"
#include "window_grad.h"

namespace kaimo {
namespace {

const char* opcodes[kOpCount];
IsaTable table;

const IsaTable* fill_table(KernelList& list, const char* name) {
  if (table.name != nullptr) return &table;
  list.add(kElementwiseKernels);
  list.add(kReduceKernels);
  list.add(kArgReduceKernels);
  list.add(kDotGeneralKernels);
  list.add(kConvolutionKernels);
  list.add(kConvGradKernels);
  list.add(kWindowKernels);
  list.add(kWindowGradKernels);
  list.add(kRandomKernels);
  list.add(kSoftmaxKernels);
  list.add(kNormKernels);
  list.add(kBatchNormKernels);
  list.add(kCrossEntropyKernels);
  list.add(kLinearCrossEntropyKernels);
  list.add(kAdamKernels);
  list.add(kLstmKernels);
  list.add(kGruKernels);
  list.add(kRnnKernels);
  list.add(kAttentionKernels);
  list.add(kLinearInt8Kernels);
  list.add(kMachineKernels);
  add_common_kernels(list);
  for (int32_t i = 0; i < kOpCount; i++) opcodes[i] = kOps[i].name;
  table = IsaTable{name, list.entries, list.count, opcodes, kOpCount};
  return &table;
}

KernelList kernel_list;

}  // namespace
}  // namespace kaimo
