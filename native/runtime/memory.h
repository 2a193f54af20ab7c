// How the C library and the system hand out memory for large arrays.
//
// Fresh memory is mapped by the page at its first use: a result of 4 MB costs a quarter of the time of the product that fills it. So large
// arrays come from the heap, where the memory of collected ones is used again, and lie on huge pages.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kaimo {

constexpr size_t kHugePage = size_t(2) << 20;

// Asks for huge pages where the system has them; `first` is on a page.
void advise_huge_pages(void* first, size_t bytes);

// Once a process.
void keep_freed_memory();

// For memory that was just allocated and not touched yet.
void prefer_huge_pages(const void* data, size_t bytes);

// Bytes of results that may wait for the garbage collector: a 32nd of the machine's memory, at most 512 MB.
int64_t most_garbage();

}  // namespace kaimo
