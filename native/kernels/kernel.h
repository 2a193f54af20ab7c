// The kernel contract: what every kernel receives and returns. No JavaScript types here, no C++ standard library.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kaimo {

// Same order as DTYPES in src/ir/dtype.ts.
enum class DType : int32_t { f32, f64, f16, bf16, i8, i16, u8, i32, u32, i64, boolean };

constexpr int kMaxRank = 10;

// A strided view of a buffer. Strides are in elements and may be 0 (broadcast) or negative (reverse).
// Output operands are dense row-major unless a kernel's table entry says that it accepts strided outputs.
struct Operand {
  char* data;
  DType dtype;
  int32_t rank;
  int64_t dims[kMaxRank];
  int64_t strides[kMaxRank];
};

class Pool;  // native/runtime/pool.h

enum class Status : int32_t { ok, index_out_of_bounds, unsupported, out_of_memory, cancelled };

// Details of a failure; the host turns it into the message that names op, operand and limits.
struct KernelError {
  int64_t operand;
  int64_t index;
  int64_t limit;
};

struct KernelCall {
  Pool* pool;
  const Operand* in;
  const Operand* out;
  int32_t n_in;
  int32_t n_out;
  const int64_t* ints;    // integer attributes, layout documented at each kernel
  int32_t n_ints;
  const double* floats;   // float attributes
  int32_t n_floats;
  KernelError error;
};

using Kernel = Status (*)(KernelCall& call);

struct KernelEntry {
  const char* name;
  Kernel run;
};

}  // namespace kaimo
