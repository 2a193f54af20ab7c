#include "isa_body.h"

namespace kaimo {

const IsaTable* isa_avx2() { return fill_table(kernel_list, "avx2"); }

}  // namespace kaimo
