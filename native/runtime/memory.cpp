#include "memory.h"

#include <cstdint>
#include <cstdlib>
#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace kaimo {

namespace {
constexpr size_t kHeapStep = size_t(64) << 20;
}  // namespace

void advise_huge_pages(void* first, size_t bytes) {
#if defined(__linux__)
  madvise(first, bytes, MADV_HUGEPAGE);
#else
  (void)first;
  (void)bytes;
#endif
}

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc takes
  mallopt(M_TRIM_THRESHOLD, static_cast<int>((int64_t(256) << 20) + most_garbage()));
  mallopt(M_TOP_PAD, static_cast<int>(kHeapStep));
  mallopt(M_ARENA_MAX, 1);  // else what one thread allocates and another frees piles up in the heaps of both
#endif
}

int64_t most_garbage() {
#if defined(__linux__)
  static const int64_t share = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) / 32 * static_cast<int64_t>(sysconf(_SC_PAGESIZE));
#else
  static const int64_t share = int64_t(128) << 20;
#endif
  constexpr int64_t kMost = int64_t(512) << 20;
  return share < kMost ? share : kMost;
}

// The heap ahead is asked for as well, before anything touches it: a huge page of which a small page is in use stays in small pages.
void prefer_huge_pages(const void* data, size_t bytes) {
  if (bytes < kHugePage / 2) return;
  const uintptr_t start = reinterpret_cast<uintptr_t>(data);
  const uintptr_t first = start & ~(kHugePage - 1), last = (start + bytes + kHeapStep) & ~(kHugePage - 1);
  advise_huge_pages(reinterpret_cast<void*>(first), last - first);
}

}  // namespace kaimo
