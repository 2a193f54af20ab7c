// scatter_set, _add, _max, _min, _multiply (StableHLO, index vector in the last dim).
// in[0] operand, in[1] integer indices, in[2] updates; out[0] dense, in place where it is in[0]'s own memory.
// ints = n, update_window_dims..., n, inserted_window_dims..., n, scatter_dims_to_operand_dims...
// Updates apply in row-major order of the index vectors: set keeps the last, add is bit for bit the same with any number of threads,
// because threads share out destinations, never updates. All indices are checked before anything is written.
#pragma once
#include <type_traits>

#include "indexing.h"
#include "reduce_core.h"

namespace kaimo {
namespace {

struct SetOp {
  template <class V>
  static V apply(V, V b) { return b; }
};

using ScatterRun = void (*)(char* out, int64_t out_stride, const char* update, int64_t update_stride, int64_t n);

template <class Op, class T>
inline T scatter_combine(T a, T b) {
  if constexpr (std::is_same<Op, SetOp>::value) {
    return b;
  } else if constexpr (std::is_same<T, f16>::value || std::is_same<T, bf16>::value) {
    return Store<T>::from(Op::apply(load_as<float>(a), load_as<float>(b)));
  } else if constexpr (std::is_integral<T>::value && (std::is_same<Op, SumOp>::value || std::is_same<Op, ProdOp>::value)) {
    using U = typename std::conditional<sizeof(T) == 8, uint64_t, uint32_t>::type;
    return static_cast<T>(Op::apply(static_cast<U>(a), static_cast<U>(b)));
  } else {
    return Op::apply(a, b);
  }
}

template <class Op, class T>
inline void scatter_run(char* raw_out, int64_t so, const char* raw_update, int64_t su, int64_t n) {
  T* out = reinterpret_cast<T*>(raw_out);
  const T* update = reinterpret_cast<const T*>(raw_update);
  if (so == 1 && su == 1) {
    for (int64_t i = 0; i < n; i++) out[i] = scatter_combine<Op>(out[i], update[i]);
  } else {
    for (int64_t i = 0; i < n; i++) out[i * so] = scatter_combine<Op>(out[i * so], update[i * su]);
  }
}

// How the updates fall on the output: [0] update, [1] output element offsets.
struct ScatterPlan {
  Walk<2> batch;   // index vectors
  Walk<2> window;  // window dims but the innermost run
  int64_t n, su, so;
  bool disjoint;   // windows of different starts never overlap
};

inline ScatterPlan scatter_plan(const Operand& updates, const Operand& out, const IntList& window_dims, const IntList& inserted, const IntList& map) {
  ScatterPlan plan;
  plan.batch.rank = plan.window.rank = 0;
  plan.n = plan.su = plan.so = 1;
  plan.disjoint = true;
  for (int d = 0; d < updates.rank; d++)
    if (!window_dims.has(d)) plan.batch.push(updates.dims[d], {updates.strides[d], 0});
  for (int d = 0, w = 0; d < out.rank; d++) {
    if (inserted.has(d)) continue;
    const int u = static_cast<int>(window_dims.data[w++]);
    plan.window.push(updates.dims[u], {updates.strides[u], out.strides[d]});
    if (map.has(d) && updates.dims[u] != 1) plan.disjoint = false;
  }
  if (plan.window.rank > 0) {
    const int last = --plan.window.rank;
    plan.n = plan.window.dims[last];
    plan.su = plan.window.strides[0][last];
    plan.so = plan.window.strides[1][last];
  }
  return plan;
}

// Applies every update, in order, to the destinations of one task: part of each innermost run, or windows starting in a range.
struct ScatterJob {
  const ScatterPlan& plan;
  ScatterRun run;
  const char* updates;
  char* out;
  const int64_t* starts;
  int64_t size;

  void apply(int64_t from, int64_t to, int64_t first_start, int64_t last_start) const {
    Walk<2> batch = plan.batch;
    batch.start(0);
    const int64_t count = batch.count(), runs = plan.window.count();
    for (int64_t i = 0; i < count; i++, batch.next()) {
      if (starts[i] < first_start || starts[i] >= last_start) continue;
      const char* update = updates + (batch.offset[0] + from * plan.su) * size;
      char* target = out + (starts[i] + from * plan.so) * size;
      if (runs == 1) {
        run(target, plan.so, update, plan.su, to - from);
        continue;
      }
      Walk<2> window = plan.window;
      window.start(0);
      for (int64_t r = 0; r < runs; r++, window.next()) run(target + window.offset[1] * size, plan.so, update + window.offset[0] * size, plan.su, to - from);
    }
  }
};

inline Status scatter_apply(KernelCall& call, ScatterRun run) {
  const Operand &indices = call.in[1], &updates = call.in[2], &out = call.out[0];
  const int64_t* ints = call.ints;
  const IntList window_dims = take_list(ints), inserted = take_list(ints), map = take_list(ints);
  int64_t window[kMaxRank];
  for (int d = 0, w = 0; d < out.rank; d++) window[d] = inserted.has(d) ? 1 : updates.dims[window_dims.data[w++]];
  StartReader reader(indices, map, out.dims, out.strides, window);
  const int64_t count = reader.count;
  int64_t* starts = static_cast<int64_t*>(shared_scratch(call.pool, static_cast<size_t>(count) * sizeof(int64_t) + 64));
  if (starts == nullptr) return Status::out_of_memory;
  const Status status = reader.read_all(call, starts);
  if (status != Status::ok) return status;
  with_element_size(out.dtype, [&](auto tag) {
    copy_unless_in_place<typename decltype(tag)::type>(call);
    return Status::ok;
  });
  if (element_count(updates) == 0) return Status::ok;
  const ScatterPlan plan = scatter_plan(updates, out, window_dims, inserted, map);
  const ScatterJob job{plan, run, updates.data, out.data, starts, element_size(out.dtype)};
  const double work = static_cast<double>(count * plan.window.count()) * (4 + 0.3 * static_cast<double>(plan.n));
  const int64_t whole = element_count(out);
  constexpr int64_t kPart = 64;
  if (work < 50000) {
    job.apply(0, plan.n, 0, whole);
  } else if (plan.n >= 2 * kPart) {
    // Every task walks all windows: as many tasks as threads, no more. The cut does not show in the result.
    const int64_t threads = pool_threads(call.pool), most = plan.n / kPart, parts = threads < most ? threads : most;
    parallel_ranges(call.pool, parts, work / static_cast<double>(parts), [&](int64_t begin, int64_t end, int) {
      job.apply(plan.n * begin / parts, plan.n * end / parts, 0, whole);
    });
  } else if (plan.disjoint) {
    const int64_t parts = pool_threads(call.pool);
    parallel_ranges(call.pool, parts, work / static_cast<double>(parts), [&](int64_t begin, int64_t end, int) {
      job.apply(0, plan.n, whole / parts * begin, end == parts ? whole : whole / parts * end);
    });
  } else {
    job.apply(0, plan.n, 0, whole);
  }
  return Status::ok;
}

template <class Op>
inline Status scatter_typed(KernelCall& call) {
  return with_dtype(call.out[0].dtype, [&](auto tag) { return scatter_apply(call, scatter_run<Op, typename decltype(tag)::type>); });
}

static Status scatter_set(KernelCall& call) {
  return with_element_size(call.out[0].dtype, [&](auto tag) { return scatter_apply(call, scatter_run<SetOp, typename decltype(tag)::type>); });
}
static Status scatter_max(KernelCall& call) { return scatter_typed<MaxOp>(call); }
static Status scatter_min(KernelCall& call) { return scatter_typed<MinOp>(call); }
// Booleans add by or and multiply by and, as they reduce.
static Status scatter_add(KernelCall& call) { return call.out[0].dtype == DType::boolean ? scatter_max(call) : scatter_typed<SumOp>(call); }
static Status scatter_multiply(KernelCall& call) { return call.out[0].dtype == DType::boolean ? scatter_min(call) : scatter_typed<ProdOp>(call); }

static const KernelEntry kScatterKernels[] = {
    {"scatter_set", scatter_set}, {"scatter_add", scatter_add},           {"scatter_max", scatter_max},
    {"scatter_min", scatter_min}, {"scatter_multiply", scatter_multiply},
};

}  // namespace
}  // namespace kaimo
