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
  // Best first; the build says by KAIMO_ISA_* which tables are there.
  const Candidate candidates[] = {
#ifdef KAIMO_ISA_AVX512
      {"avx512", cpu.avx512, isa_avx512},
#endif
#ifdef KAIMO_ISA_AVX2
      {"avx2", cpu.avx2, isa_avx2},
#endif
#ifdef KAIMO_ISA_SSE41
      {"sse41", cpu.sse41, isa_sse41},
#endif
#ifdef KAIMO_ISA_NEON
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
