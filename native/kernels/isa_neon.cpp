#include "isa_body.h"

namespace kaimo {

const IsaTable* isa_neon() { return fill_table(kernel_list, "neon"); }

}  // namespace kaimo
