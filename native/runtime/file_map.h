// Parts of files as memory.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kaimo {

// Bytes of a file at `data`. Writing changes this memory alone, never the file. Pages come from the system's cache when they are first
// touched; touching one that the file has lost since (it was cut short in place) ends the process, as for any mapping.
struct FileMap {
  char* data = nullptr;
  size_t bytes = 0;
  void* pages = nullptr;
  size_t pages_bytes = 0;
};

enum class MapStatus { ok, unsupported, too_short };

// `bytes` (at least one) from `start` of an open file.
MapStatus map_file(int descriptor, uint64_t start, size_t bytes, FileMap* map);

void unmap_file(const FileMap& map);

}  // namespace kaimo
