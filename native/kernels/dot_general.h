// dot_general (StableHLO): lhs, rhs [, bias] [, addend] -> out [, product].
//   ints = {n_batch, n_contract, lhs_batch[n_batch], rhs_batch[n_batch], lhs_contract[n_contract], rhs_contract[n_contract], activation, has addend?}
//   out dims = batch, lhs free, rhs free; activation: of Activation, relu for floats, the others for f32 only.
//   addend: dense, of out's shape, added last; f32 only, without an activation.
//   product: what the activation is applied to, f32 only.
//   bias: any strides, as many elements as the free dims of rhs have together; added before the activation.
// f32 and f64 run the matrix engine of gemm.h; f16 and bf16 accumulate in f32; integers wrap around; bool is or of ands.
//
// pack_rhs_size: rhs (dims only) -> i64 scalar, the elements that the packed rhs takes; ints as pack_rhs.
// pack_rhs: rhs -> packed; ints = {n_contract, rhs_contract[...]}, no batch dims. f32 only. The layout depends on the ISA build.
// dot_general_packed: as dot_general with n_batch == 0, and the packed rhs as an extra last operand (rhs itself gives dims only).
#pragma once
#include "dot_fold.h"
#include "dot_generic.h"
#include "gemm_tail.h"

namespace kaimo {
namespace {

struct DotPlan {
  DotDims dims;
  Operand lhs, rhs;
  const Operand* bias = nullptr;
  char* workspace = nullptr;       // for the matrix engine
  char* bias_copy = nullptr;
  float *out = nullptr, *product = nullptr;
  const float* addend = nullptr;
  bool copy_lhs = false, copy_rhs = false;
};

inline size_t aligned_bytes(int64_t elements, DType dtype) { return size_t(round_up(elements * element_size(dtype), 64)); }

inline void lhs_order(const DotDims& d, int64_t* order) {
  for (int i = 0; i < d.n_batch; ++i) *order++ = d.lhs_batch[i];
  for (int i = 0; i < d.n_lhs_free; ++i) *order++ = d.lhs_free[i];
  for (int i = 0; i < d.n_contract; ++i) *order++ = d.lhs_contract[i];
}

inline void rhs_order(const DotDims& d, int64_t* order) {
  for (int i = 0; i < d.n_batch; ++i) *order++ = d.rhs_batch[i];
  for (int i = 0; i < d.n_contract; ++i) *order++ = d.rhs_contract[i];
  for (int i = 0; i < d.n_rhs_free; ++i) *order++ = d.rhs_free[i];
}

// Decides which operands must be copied so that contracted dims (and, under a bias, the columns) fold to one stride.
inline void plan_copies(DotPlan* plan, const Operand& out) {
  const DotDims& d = plan->dims;
  const DotGroups g = group_dims(d, plan->lhs, plan->rhs, out);
  if (g.k.rank > 1) {
    plan->copy_lhs = !folds(plan->lhs, d.lhs_contract, d.n_contract);
    plan->copy_rhs = !folds(plan->rhs, d.rhs_contract, d.n_contract);
  }
  if (plan->bias && g.n.rank > 1) plan->copy_rhs = true;
}

template <typename T>
Gemm<T> typed_gemm(const FoldedDot& f, char* out, const Epilogue<T>& epilogue) {
  Gemm<T> g;
  g.m = f.m;
  g.n = f.n;
  g.k = f.k;
  g.a = reinterpret_cast<const T*>(f.a);
  g.a_rs = f.a_rs;
  g.a_cs = f.a_cs;
  g.b = reinterpret_cast<const T*>(f.b);
  g.b_rs = f.b_rs;
  g.b_cs = f.b_cs;
  g.c = reinterpret_cast<T*>(out);
  g.ldc = f.ldc;
  g.epilogue = epilogue;
  g.batch = f.batch;
  return g;
}

inline FoldedDot fold_dot(const DotPlan& plan, const Operand& out, bool allow_swap) {
  DotGroups g = group_dims(plan.dims, plan.lhs, plan.rhs, out);
  const bool swap = allow_swap && g.n.size == 1 && g.m.size > 1;
  FoldedDot f = swap ? fold_groups(swap_sides(g), plan.rhs, plan.lhs) : fold_groups(g, plan.lhs, plan.rhs);
  f.swapped = swap;
  return f;
}

template <typename T>
Epilogue<T> dot_epilogue(const DotPlan& plan, bool swapped) {
  Epilogue<T> e;
  if constexpr (sizeof(T) == sizeof(float)) {
    set_activation(e, plan.dims.activation, plan.product, plan.out);
    if (plan.addend) set_addend(e, plan.out, plan.addend);
  } else {
    e.act = plan.dims.activation;
  }
  if (plan.bias) {
    e.bias = reinterpret_cast<const T*>(plan.bias_copy);
    e.bias_rs = 0;
    e.bias_cs = swapped ? 0 : 1;
  }
  return e;
}

// Gives the plan its memory: dense copies, the bias as a dense row, the engine's workspace.
template <typename T>
Status run_dot_engine(KernelCall& call, DotPlan& plan, const T* packed_b) {
  const Operand& out = call.out[0];
  int64_t order[kMaxRank];
  plan.out = reinterpret_cast<float*>(out.data);
  if (call.n_out > 1) plan.product = reinterpret_cast<float*>(call.out[1].data);
  char* const product = call.n_out > 1 ? call.out[1].data : out.data;
  if (packed_b) {  // only its dims count
    rhs_order(plan.dims, order);
    plan.rhs = strides_in_order(plan.rhs, order, nullptr);
  }
  plan_copies(&plan, out);
  const size_t lhs_bytes = plan.copy_lhs ? aligned_bytes(element_count(plan.lhs), plan.lhs.dtype) : 0;
  const size_t rhs_bytes = plan.copy_rhs ? aligned_bytes(element_count(plan.rhs), plan.rhs.dtype) : 0;
  const size_t bias_bytes = plan.bias ? aligned_bytes(element_count(*plan.bias), plan.bias->dtype) : 0;
  // The size of the workspace does not depend on where the copies lie, so fold once with them at no address.
  DotPlan shape = plan;
  const auto relocate = [&](DotPlan* p, char* base, bool copy) {
    char* at = base;
    if (p->copy_lhs) {
      lhs_order(p->dims, order);
      p->lhs = copy ? copy_in_order(call.pool, p->lhs, order, at) : strides_in_order(p->lhs, order, at);
      at += lhs_bytes;
    }
    if (p->copy_rhs) {
      rhs_order(p->dims, order);
      p->rhs = copy ? copy_in_order(call.pool, p->rhs, order, at) : strides_in_order(p->rhs, order, at);
      at += rhs_bytes;
    }
    p->bias_copy = at;
    p->workspace = at + bias_bytes;
  };
  relocate(&shape, nullptr, false);
  FoldedDot f = fold_dot(shape, out, packed_b == nullptr);
  Gemm<T> g = typed_gemm<T>(f, product, dot_epilogue<T>(shape, f.swapped));
  g.packed_b = packed_b;
  const size_t bytes = lhs_bytes + rhs_bytes + bias_bytes + gemm_workspace(g);
  if (bytes == 0) return matrix_product(call.pool, g, nullptr);
  char* base = static_cast<char*>(shared_scratch(call.pool, bytes));
  if (!base) return Status::out_of_memory;
  relocate(&plan, base, true);
  if (plan.bias) copy_in_order(call.pool, *plan.bias, kIdentityOrder, plan.bias_copy);
  f = fold_dot(plan, out, packed_b == nullptr);
  g = typed_gemm<T>(f, product, dot_epilogue<T>(plan, f.swapped));
  g.packed_b = packed_b;
  return matrix_product(call.pool, g, plan.workspace);
}

inline bool setup_dot(const KernelCall& call, DotPlan* plan) {
  if (!parse_dot(call, &plan->dims) || call.n_out > 2) return false;
  if ((call.n_out == 2 || plan->dims.activation > kActRelu) && (call.out[0].dtype != DType::f32 || call.in[0].dtype != DType::f32 || call.in[1].dtype != DType::f32)) return false;
  if (call.n_out == 2 && (plan->dims.activation == kActNone || call.out[1].dtype != DType::f32 || element_count(call.out[1]) != element_count(call.out[0]))) return false;
  plan->lhs = call.in[0];
  plan->rhs = call.in[1];
  const int n_in = call.n_in - plan->dims.has_addend;
  if (n_in < 2 || n_in > 3) return false;
  if (n_in == 3) plan->bias = &call.in[2];
  if (plan->dims.has_addend) {
    const Operand& addend = call.in[n_in];
    if (plan->dims.activation != kActNone || addend.dtype != DType::f32 || plan->lhs.dtype != DType::f32 || plan->rhs.dtype != DType::f32) return false;
    if (call.out[0].dtype != DType::f32 || !is_dense(addend) || element_count(addend) != element_count(call.out[0])) return false;
    plan->addend = reinterpret_cast<const float*>(addend.data);
  }
  int64_t n = 1;
  for (int i = 0; i < plan->dims.n_rhs_free; ++i) n *= plan->rhs.dims[plan->dims.rhs_free[i]];
  return !plan->bias || element_count(*plan->bias) == n;
}

// All operands of one dtype, which is widened while it is multiplied.
inline Status dot_generic(KernelCall& call, DotPlan& plan) {
  const DType c = call.out[0].dtype;
  const DType all[4] = {plan.lhs.dtype, plan.rhs.dtype, c, plan.bias ? plan.bias->dtype : c};
  for (DType t : all) {
    if (t != c) return Status::unsupported;
  }
  if (!is_float(c) && plan.dims.activation != kActNone) return Status::unsupported;
  plan_copies(&plan, call.out[0]);
  const size_t lhs_bytes = plan.copy_lhs ? aligned_bytes(element_count(plan.lhs), plan.lhs.dtype) : 0;
  const size_t rhs_bytes = plan.copy_rhs ? aligned_bytes(element_count(plan.rhs), plan.rhs.dtype) : 0;
  const size_t bias_bytes = plan.bias ? aligned_bytes(element_count(*plan.bias), plan.bias->dtype) : 0;
  char* base = nullptr;
  if (lhs_bytes + rhs_bytes + bias_bytes) {
    base = static_cast<char*>(shared_scratch(call.pool, lhs_bytes + rhs_bytes + bias_bytes));
    if (!base) return Status::out_of_memory;
  }
  int64_t order[kMaxRank];
  if (plan.copy_lhs) {
    lhs_order(plan.dims, order);
    plan.lhs = copy_in_order(call.pool, plan.lhs, order, base);
  }
  if (plan.copy_rhs) {
    rhs_order(plan.dims, order);
    plan.rhs = copy_in_order(call.pool, plan.rhs, order, base + lhs_bytes);
  }
  char* bias = plan.bias ? base + lhs_bytes + rhs_bytes : nullptr;
  if (bias) copy_in_order(call.pool, *plan.bias, kIdentityOrder, bias);
  const FoldedDot f = fold_dot(plan, call.out[0], true);
  GenericJob job{call.pool, f, c, call.out[0].data, bias, plan.dims.activation, 1, 1, false};
  return run_generic(job);
}

inline Status dot_general(KernelCall& call) {
  DotPlan plan;
  if (!setup_dot(call, &plan)) return Status::unsupported;
  const DType a = plan.lhs.dtype, b = plan.rhs.dtype, c = call.out[0].dtype, e = plan.bias ? plan.bias->dtype : c;
  if (element_count(call.out[0]) == 0) return Status::ok;
  if (a == b && a == c && a == e) {
    if (a == DType::f32) return run_dot_engine<float>(call, plan, nullptr);
    if (a == DType::f64) return run_dot_engine<double>(call, plan, nullptr);
  }
  return dot_generic(call, plan);
}

// ---- packed right-hand sides ----

inline bool valid_contract(const KernelCall& call) {
  if (call.n_ints < 1 || call.ints[0] < 0 || call.ints[0] > call.in[0].rank || call.n_ints < 1 + call.ints[0]) return false;
  for (int64_t i = 0; i < call.ints[0]; ++i) {
    if (call.ints[1 + i] < 0 || call.ints[1 + i] >= call.in[0].rank) return false;
  }
  return true;
}

// Columns and rows of rhs as one matrix; false where it does not fold.
inline bool rhs_matrix(const Operand& rhs, const int64_t* contract, int n_contract, DimGroup* k, DimGroup* n) {
  int64_t free[kMaxRank];
  for (int i = 0; i < n_contract; ++i) {
    k->push(rhs.dims[contract[i]], 0, rhs.strides[contract[i]], 0);
  }
  const int count = free_dims(rhs.rank, nullptr, 0, contract, n_contract, free);
  for (int i = 0; i < count; ++i) n->push(rhs.dims[free[i]], 0, rhs.strides[free[i]], 0);
  return k->rank <= 1 && n->rank <= 1;
}

inline Status pack_rhs_size(KernelCall& call) {
  if (call.out[0].dtype != DType::i64 || !valid_contract(call)) return Status::unsupported;
  DimGroup k, n;
  rhs_matrix(call.in[0], call.ints + 1, int(call.ints[0]), &k, &n);
  *reinterpret_cast<int64_t*>(call.out[0].data) = gemm_packed_b_size<float>(k.size, n.size);
  return Status::ok;
}

struct PackRhsJob {
  const float* src;
  float* dst;
  int64_t k, n, rs, cs;
};

inline Status pack_rhs(KernelCall& call) {
  Operand rhs = call.in[0];
  if (rhs.dtype != DType::f32 || !valid_contract(call)) return Status::unsupported;
  const int64_t* contract = call.ints + 1;
  const int n_contract = int(call.ints[0]);
  DimGroup k, n;
  if (!rhs_matrix(rhs, contract, n_contract, &k, &n)) {
    int64_t order[kMaxRank];
    for (int i = 0; i < n_contract; ++i) order[i] = contract[i];
    free_dims(rhs.rank, nullptr, 0, contract, n_contract, order + n_contract);
    char* copy = static_cast<char*>(shared_scratch(call.pool, aligned_bytes(element_count(rhs), rhs.dtype)));
    if (!copy) return Status::out_of_memory;
    rhs = copy_in_order(call.pool, rhs, order, copy);
    k = n = DimGroup{};
    rhs_matrix(rhs, contract, n_contract, &k, &n);
  }
  if (element_count(call.out[0]) < gemm_packed_b_size<float>(k.size, n.size)) return Status::unsupported;
  PackRhsJob job{reinterpret_cast<const float*>(rhs.data), reinterpret_cast<float*>(call.out[0].data), k.size, n.size,
                 k.rank ? k.b[0] : 1, n.rank ? n.b[0] : 1};
  constexpr int64_t nr = kNr<float>;
  parallel_for(
      call.pool, ceil_div(job.n, nr),
      [](void* context, int64_t panel, int) {
        const PackRhsJob& j = *static_cast<PackRhsJob*>(context);
        pack_b_panel(j.dst + panel * j.k * nr, j.src + panel * nr * j.cs, j.rs, j.cs, j.k, min64(nr, j.n - panel * nr));
      },
      &job);
  return Status::ok;
}

inline Status dot_general_packed(KernelCall& call) {
  KernelCall inner = call;
  inner.n_in = call.n_in - 1;
  DotPlan plan;
  if (inner.n_in < 2 || !setup_dot(inner, &plan) || plan.dims.n_batch != 0) return Status::unsupported;
  const Operand& packed = call.in[call.n_in - 1];
  for (int i = 0; i < call.n_in; ++i) {
    if (call.in[i].dtype != DType::f32) return Status::unsupported;
  }
  if (call.out[0].dtype != DType::f32) return Status::unsupported;
  if (element_count(call.out[0]) == 0) return Status::ok;
  return run_dot_engine<float>(inner, plan, reinterpret_cast<const float*>(packed.data));
}

static const KernelEntry kDotGeneralKernels[] = {
    {"dot_general", dot_general},
    {"pack_rhs_size", pack_rhs_size},
    {"pack_rhs", pack_rhs},
    {"dot_general_packed", dot_general_packed},
};

}  // namespace
}  // namespace kaimo
