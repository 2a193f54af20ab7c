// sdpa_grad: gradients of sdpa, whose weights are computed again from the log totals (Dao et al. 2022). f32.
//   in: ct [B, H, T, E], log totals, delta [B, H, T], then those of sdpa; any strides. delta: row sums of ct * y.
//   out: dq, dk, dv, dense.
// A task owns a key head, or a fixed share of its rows where heads are few: shares depend on shapes alone and are added in order.
#pragma once
#include "attention.h"

namespace kaimo {
namespace {

struct GradJob {
  Attention a;
  EvenBlocks keys, rows;
  Heads ct;
  const Operand *totals, *delta;
  float *dq, *dk, *dv;
  float* partial;  // dk and dv of the shares after the first
  int64_t shares;
};

// Where the scratch of a worker is cut.
struct GradScratch {
  float *k_left, *k_right, *v_left, *rows, *q_right, *q_panels, *g_right, *g_panels, *weights, *slopes, *totals, *delta;
  int64_t elements = 0;

  GradScratch(const GradJob& job, float* base) {
    const Attention& a = job.a;
    const auto take = [&](int64_t n) {
      float* p = base ? base + elements : nullptr;
      elements += round_up(n + Vec<float>::n, 16);
      return p;
    };
    k_left = take(left_size(job.keys, a.d));
    k_right = take(right_size(a.keys, a.d));
    v_left = take(left_size(job.keys, a.e));
    rows = take(kQueryRows * max64(a.d, a.e));
    q_right = take(right_size(kQueryRows, a.d));
    q_panels = take(kQueryRows * a.d);
    g_right = take(right_size(kQueryRows, a.e));
    g_panels = take(kQueryRows * a.e);
    weights = take(kKeyBlock * kQueryRows);
    slopes = take(kKeyBlock * kQueryRows);
    totals = take(kQueryRows);
    delta = take(kQueryRows);
  }
};

inline void gather_rows(const Attention& a, const RowBlock& rows, const Operand& x, float pad, float* out) {
  int64_t h = rows.key_head * a.group + rows.first / a.queries, t = rows.first % a.queries;
  for (int64_t r = 0; r < rows.panels * kLanes; ++r) {
    out[r] = pad;
    if (r >= rows.count) continue;
    out[r] = reinterpret_cast<const float*>(x.data)[rows.b * x.strides[0] + h * x.strides[1] + t * x.strides[2]];
    if (++t == a.queries) t = 0, ++h;
  }
}

// Scores become weights: exp(score - total).
inline void weigh_panel(float* x, int64_t ld, int64_t count, const float* totals) {
  constexpr int n = Vec<float>::n;
  vf32 total[kNv];
  for (int j = 0; j < kNv; ++j) total[j] = vload(totals + j * n);
  for (int64_t s = 0; s < count; ++s, x += ld) {
    KAIMO_UNROLL(8)
    for (int j = 0; j < kNv; ++j) vstore(x + j * n, vexp_of(vload(x + j * n) - total[j]));
  }
}

// g = w (g - delta): gradients of weights become those of scores.
inline void slope_panel(const float* w, float* g, int64_t ld, int64_t count, const float* delta) {
  constexpr int n = Vec<float>::n;
  for (int64_t s = 0; s < count; ++s, w += ld, g += ld) {
    KAIMO_UNROLL(8)
    for (int j = 0; j < kNv; ++j) vstore(g + j * n, vload(w + j * n) * (vload(g + j * n) - vload(delta + j * n)));
  }
}

// Adds what a block of rows gives to dk and dv, and writes its dq.
KAIMO_NOINLINE void attend_rows_grad(const GradJob& job, const GradScratch& s, const RowBlock& rows, float* dk, float* dv) {
  const Attention& a = job.a;
  const int64_t ld = rows.panels * kLanes;
  const EvenBlocks all(rows.count, kQueryRows, 1);
  rows.gather(a, a.q, a.d, a.scale, s.rows);
  pack_rows_transposed(s.rows, rows.count, a.d, s.q_panels);
  if (rows.count > 0) pack_right(all, 0, Heads{s.rows, 0, 0, a.d, 1}, s.rows, a.d, s.q_right);
  rows.gather(a, job.ct, a.e, 1, s.rows);
  pack_rows_transposed(s.rows, rows.count, a.e, s.g_panels);
  if (rows.count > 0) pack_right(all, 0, Heads{s.rows, 0, 0, a.e, 1}, s.rows, a.e, s.g_right);
  gather_rows(a, rows, *job.totals, kInfF, s.totals);
  gather_rows(a, rows, *job.delta, 0, s.delta);
  float* const dq = job.dq + ((rows.b * a.key_heads + rows.key_head) * a.rows() + rows.first) * a.d;
  for (int64_t i = 0; i < job.keys.count && job.keys.start(i) <= rows.highest; ++i) {
    const int64_t s0 = job.keys.start(i), count = min64(job.keys.end(i), rows.highest + 1) - s0;
    for (int64_t p = 0; p < rows.panels; ++p) {
      const int64_t lane0 = p * kLanes;
      float *w = s.weights + lane0, *g = s.slopes + lane0;
      score_panel(job.keys, i, s.k_left, s.q_panels + lane0 * a.d, count, a.d, w, ld);
      mask_panel(a, rows, p, w, ld, s0, s0 + count);
      weigh_panel(w, ld, count, s.totals + lane0);
      score_panel(job.keys, i, s.v_left, s.g_panels + lane0 * a.e, count, a.e, g, ld);
      if (a.keep.data) drop_panel(a, rows, p, g, ld, s0, s0 + count);
      slope_panel(w, g, ld, count, s.delta + lane0);
      if (a.keep.data) drop_panel(a, rows, p, w, ld, s0, s0 + count);
    }
    multiply({count, a.e, rows.count, s.weights, ld, 1, s.g_right, rows.count * kLanes, dv + s0 * a.e, false});
    multiply({count, a.d, rows.count, s.slopes, ld, 1, s.q_right, rows.count * kLanes, dk + s0 * a.d, false});
    multiply({rows.count, a.d, count, s.slopes, 1, ld, s.k_right + s0 * kLanes, a.keys * kLanes, dq, i == 0});
  }
  for (int64_t i = 0; i < rows.count * a.d; ++i) dq[i] = rows.highest < 0 ? 0 : dq[i] * a.scale;
}

inline void fill_zero(float* x, int64_t n) {
  if (n > 0) __builtin_memset(x, 0, sizeof(float) * size_t(n));
}

// Share `share` of the rows of a key head.
KAIMO_NOINLINE void attend_share_grad(const GradJob& job, int64_t head, int64_t share, float* memory) {
  const Attention& a = job.a;
  const GradScratch scratch(job, memory);
  const int64_t b = head / a.key_heads, h = head % a.key_heads, dk_size = a.keys * a.d, dv_size = a.keys * a.e;
  float* dk = job.dk + head * dk_size;
  float* dv = job.dv + head * dv_size;
  if (share > 0) {
    dk = job.partial + (head * (job.shares - 1) + share - 1) * (dk_size + dv_size);
    dv = dk + dk_size;
  }
  fill_zero(dk, dk_size);
  fill_zero(dv, dv_size);
  for (int64_t i = 0; i < job.keys.count; ++i) {
    pack_left(job.keys, i, a.k, a.k.at(b, h, 0), a.d, scratch.k_left);
    pack_right(job.keys, i, a.k, a.k.at(b, h, 0), a.d, scratch.k_right);
    pack_left(job.keys, i, a.v, a.v.at(b, h, 0), a.e, scratch.v_left);
  }
  const int64_t end = job.rows.count * (share + 1) / job.shares;
  for (int64_t i = job.rows.count * share / job.shares; i < end; ++i)
    attend_rows_grad(job, scratch, RowBlock(a, b, h, job.rows.start(i), job.rows.end(i)), dk, dv);
}

// Key heads that are enough to keep threads busy without shares.
constexpr int64_t kManyHeads = 8;

inline Status add_shares(KernelCall& call, const GradJob& job, int64_t heads) {
  const int64_t dk_size = job.a.keys * job.a.d, size = dk_size + job.a.keys * job.a.e;
  parallel_ranges(call.pool, heads * size, double(job.shares) * 0.3, [&](int64_t begin, int64_t end, int) {
    for (int64_t u = begin; u < end; ++u) {
      const int64_t head = u / size, i = u % size;
      float* out = i < dk_size ? job.dk + head * dk_size + i : job.dv + head * (size - dk_size) + i - dk_size;
      for (int64_t share = 1; share < job.shares; ++share) *out += job.partial[(head * (job.shares - 1) + share - 1) * size + i];
    }
  });
  return Status::ok;
}

static Status sdpa_grad_kernel(KernelCall& call) {
  Attention attention;
  if (!attention.init(call, 3) || call.n_out != 3) return Status::unsupported;
  const auto out = [&](int i) { return reinterpret_cast<float*>(call.out[i].data); };
  GradJob job{attention, key_blocks(attention), row_blocks(attention), Heads{}, &call.in[1], &call.in[2], out(0), out(1), out(2), nullptr, 1};
  job.ct.read(call.in[0]);
  const Attention& a = job.a;
  const int64_t heads = a.batch * a.key_heads;
  if (heads == 0) return Status::ok;
  if (heads < kManyHeads) job.shares = max64(1, min64(job.rows.count, ceil_div(kManyHeads, heads)));
  if (job.shares > 1) {
    const int64_t elements = heads * (job.shares - 1) * a.keys * (a.d + a.e);
    job.partial = static_cast<float*>(shared_scratch(call.pool, sizeof(float) * size_t(elements + 1)));
    if (!job.partial) return Status::out_of_memory;
  }
  int no_memory = 0;
  const double unit = 0.07 * double(a.rows()) * double(a.keys) * double(a.d + a.e + 8) / double(job.shares);
  parallel_ranges(call.pool, heads * job.shares, unit, [&](int64_t begin, int64_t end, int worker) {
    const size_t bytes = sizeof(float) * size_t(GradScratch(job, nullptr).elements);
    float* memory = static_cast<float*>(worker_scratch(call.pool, worker, bytes));
    if (!memory) return __atomic_store_n(&no_memory, 1, __ATOMIC_RELAXED);
    for (int64_t u = begin; u < end; ++u) attend_share_grad(job, u / job.shares, u % job.shares, memory);
  });
  if (no_memory) return Status::out_of_memory;
  return job.shares > 1 ? add_shares(call, job, heads) : Status::ok;
}

static const KernelEntry kAttentionKernels[] = {
    {"sdpa", sdpa_kernel},
    {"sdpa_grad", sdpa_grad_kernel},
};

}  // namespace
}  // namespace kaimo
