#include "isa_body.h"

namespace kaimo {

const IsaTable* isa_sse41() { return fill_table(kernel_list, "sse41"); }

}  // namespace kaimo
