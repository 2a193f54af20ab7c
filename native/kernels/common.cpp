#include "copy.h"
#include "cumulative.h"
#include "indexing.h"
#include "kernel_list.h"
#include "scatter.h"
#include "sort.h"

namespace kaimo {

void add_common_kernels(KernelList& list) {
  list.add(kCopyKernels);
  list.add(kCumulativeKernels);
  list.add(kIndexingKernels);
  list.add(kScatterKernels);
  list.add(kSortKernels);
}

}  // namespace kaimo
