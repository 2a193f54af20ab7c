#include "isa_body.h"

namespace kaimo {

const IsaTable* isa_avx512() { return fill_table(kernel_list, "avx512"); }

}  // namespace kaimo
