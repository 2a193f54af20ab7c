// The kernel tables of the ISA builds and the choice among them.
#pragma once
#include "../kernels/kernel.h"

namespace kaimo {

struct IsaTable {
  const char* name;
  const KernelEntry* kernels;
  int32_t n_kernels;
  const char* const* opcodes;  // names of the elementwise operations, by opcode
  int32_t n_opcodes;
};

const IsaTable* isa_sse41();
const IsaTable* isa_avx2();
const IsaTable* isa_avx512();
const IsaTable* isa_neon();

// The best table this processor runs, or the one named by `wanted`; null with `*reason` set where it cannot run here.
const IsaTable* select_isa(const char* wanted, const char** reason);

}  // namespace kaimo
