#include "isa.h"

#include <cstring>

#include "cpu.h"

namespace kaimo {

namespace {

struct Candidate {
  const char* name;
  bool runs_here;
  const IsaTable* (*table)();
};

}  // namespace

const IsaTable* select_isa(const char* wanted, const char** reason) {
  const CpuFeatures cpu = detect_cpu();
  // Best first.
  const Candidate candidates[] = {
#if defined(__x86_64__) || defined(__i386__)
      {"avx512", cpu.avx512, isa_avx512},
      {"avx2", cpu.avx2, isa_avx2},
      {"sse41", cpu.sse41, isa_sse41},
#elif defined(__aarch64__)
      {"neon", cpu.neon, isa_neon},
#endif
  };
  if (wanted == nullptr || *wanted == '\0') {
    for (const Candidate& candidate : candidates) {
      if (candidate.runs_here) return candidate.table();
    }
    *reason = "the processor has none of the instruction sets that the addon was built for";
    return nullptr;
  }
  for (const Candidate& candidate : candidates) {
    if (std::strcmp(candidate.name, wanted) != 0) continue;
    if (candidate.runs_here) return candidate.table();
    *reason = "the processor or the system does not support it";
    return nullptr;
  }
  *reason = "it is not one of the instruction sets of this build";
  return nullptr;
}

}  // namespace kaimo
