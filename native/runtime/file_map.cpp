#include "file_map.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace kaimo {

#if defined(__unix__) || defined(__APPLE__)

MapStatus map_file(int descriptor, uint64_t start, size_t bytes, FileMap* map) {
  struct stat info;
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return MapStatus::unsupported;
  const uint64_t held = static_cast<uint64_t>(info.st_size);
  if (start > held || bytes > held - start) return MapStatus::too_short;
  const long page = sysconf(_SC_PAGESIZE);
  if (page <= 0) return MapStatus::unsupported;
  const size_t before = static_cast<size_t>(start % static_cast<uint64_t>(page));
  // Writable, so that a training step can update a tensor in its place: the pages it writes become copies.
  void* const pages = mmap(nullptr, before + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, static_cast<off_t>(start - before));
  if (pages == MAP_FAILED) return MapStatus::unsupported;
  madvise(pages, before + bytes, MADV_WILLNEED);
  *map = {static_cast<char*>(pages) + before, bytes, pages, before + bytes};
  return MapStatus::ok;
}

void unmap_file(const FileMap& map) { munmap(map.pages, map.pages_bytes); }

#else

MapStatus map_file(int, uint64_t, size_t, FileMap*) { return MapStatus::unsupported; }
void unmap_file(const FileMap&) {}

#endif

}  // namespace kaimo
