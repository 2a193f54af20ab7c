// Native kernels against naive loops on odd shapes; exits non-zero on a failure. `node scripts/test-kernels.mjs` builds and runs it.
#include "attention_test.h"
#include "batch_norm_test.h"
#include "copy_test.h"
#include "cross_entropy_test.h"
#include "indexing_test.h"
#include "norm_test.h"
#include "random_test.h"
#include "reduce_test.h"
#include "softmax_test.h"
#include "sort_test.h"

// Arguments: the names of the tests to run; none runs all.
int main(int argc, char** argv) {
  using namespace kaimo;
  const struct {
    const char* name;
    void (*run)();
  } tests[] = {
      {"half", test_half}, {"copy", test_copy}, {"fill and iota", test_fill_iota}, {"pad", test_pad},
      {"reduce", test_reduce}, {"reduce order", test_reduce_order}, {"arg reduce", test_arg_reduce},
      {"gather", test_gather}, {"scatter", test_scatter}, {"dynamic slices", test_dynamic_slices},
      {"threefry", test_threefry}, {"random bits", test_random_bits}, {"softmax", test_softmax}, {"norm", test_norm},
      {"batch norm", test_batch_norm}, {"cross entropy", test_cross_entropy}, {"attention", test_attention}, {"linear cross entropy", test_linear_cross_entropy}, {"sort", test_sort}, {"cumulative", test_cumulative},
  };
  for (const auto& test : tests) {
    bool wanted = argc == 1;
    for (int i = 1; i < argc; i++) wanted = wanted || std::strcmp(argv[i], test.name) == 0;
    if (!wanted) continue;
    const int before = failures;
    test.run();
    std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", test.name);
  }
  return failures ? 1 : 0;
}
