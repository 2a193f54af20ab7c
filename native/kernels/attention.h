// sdpa: softmax(q k^T scale + mask) v without its matrix of weights (Dao et al. 2022, FlashAttention): blocks of keys pass by blocks of
// rows, with running maxima and sums (Milakov & Gimelshein 2018). f32.
//   in: q [B, H, T, D], k [B, K, S, D], v [B, K, S, E], then as Attention::init reads them; any strides.
//   out: y [B, H, T, E], log totals [B, H, T], dense. Rows that see nothing give 0 and +inf.
// The order of sums depends on D and S alone. Keys that no row of a block may see are not read.
#pragma once
#include "attention_blocks.h"

namespace kaimo {
namespace {

// Running maximum and sum of a panel's rows, and the factor for what was summed before.
struct RunningRows {
  float top[kQueryRows], sum[kQueryRows], fade[kQueryRows];
};

// Scores of a panel become exponentials below the new maxima.
inline void softmax_panel(float* x, int64_t count, bool first, float* top, float* sum, float* fade) {
  constexpr int n = Vec<float>::n;
  for (int64_t i = 0; i < kLanes; i += n) {
    const vf32 old = first ? vsplat(-kInfF) : vload(top + i);
    vf32 high[4] = {old, old, old, old};
    int64_t s = 0;
    for (; s + 4 <= count; s += 4) {
      KAIMO_UNROLL(4)
      for (int u = 0; u < 4; ++u) {
        const vf32 value = vload(x + (s + u) * kLanes + i);
        high[u] = value > high[u] ? value : high[u];
      }
    }
    for (; s < count; ++s) {
      const vf32 value = vload(x + s * kLanes + i);
      high[0] = value > high[0] ? value : high[0];
    }
    high[0] = high[0] > high[1] ? high[0] : high[1];
    high[2] = high[2] > high[3] ? high[2] : high[3];
    const vf32 peak = high[0] > high[2] ? high[0] : high[2];
    const vf32 shift = peak == vsplat(-kInfF) ? vf32{} : peak;
    vf32 total[2] = {};
    for (s = 0; s + 2 <= count; s += 2) {
      KAIMO_UNROLL(2)
      for (int u = 0; u < 2; ++u) {
        const vf32 value = vexp_of(vload(x + (s + u) * kLanes + i) - shift);
        vstore(x + (s + u) * kLanes + i, value);
        total[u] += value;
      }
    }
    if (s < count) {
      const vf32 value = vexp_of(vload(x + s * kLanes + i) - shift);
      vstore(x + s * kLanes + i, value);
      total[0] += value;
    }
    const vf32 factor = first ? vf32{} : vexp_of(old - shift);
    vstore(fade + i, factor);
    vstore(top + i, peak);
    vstore(sum + i, (first ? vf32{} : vload(sum + i) * factor) + (total[0] + total[1]));
  }
}

inline void scale_row(float* y, int64_t n, float factor) {
  for (int64_t i = 0; i < n; ++i) y[i] *= factor;
}

struct ForwardJob {
  Attention a;
  EvenBlocks keys, rows;
  float *y, *totals;
  const float *left, *right;  // packed keys and values of the heads from head0 on
  int64_t head0, left_pitch, right_pitch;
};

// Scratch: rows, packed rows, a panel of weights.
inline int64_t forward_scratch(const Attention& a) { return 2 * kQueryRows * a.d + kKeyBlock * kLanes + 2 * Vec<float>::n; }

KAIMO_NOINLINE void attend_rows(const ForwardJob& job, int64_t head, int64_t block, float* scratch) {
  const Attention& a = job.a;
  const RowBlock rows(a, head / a.key_heads, head % a.key_heads, job.rows.start(block), job.rows.end(block));
  const float* left = job.left + (head - job.head0) * job.left_pitch;
  const float* right = job.right + (head - job.head0) * job.right_pitch;
  float* const packed = scratch + kQueryRows * a.d;
  float* const weights = packed + kQueryRows * a.d + Vec<float>::n;
  rows.gather(a, a.q, a.d, a.scale, scratch);
  pack_rows_transposed(scratch, rows.count, a.d, packed);
  float* const y = job.y + (head * a.rows() + rows.first) * a.e;
  float* const totals = job.totals + head * a.rows() + rows.first;
  RunningRows state;
  for (int64_t i = 0; i < job.keys.count && job.keys.start(i) <= rows.highest; ++i) {
    const int64_t s0 = job.keys.start(i), count = min64(job.keys.end(i), rows.highest + 1) - s0;
    for (int64_t p = 0; p < rows.panels; ++p) {
      const int64_t lane0 = p * kLanes, lanes = min64(kLanes, rows.count - lane0);
      score_panel(job.keys, i, left, packed + lane0 * a.d, count, a.d, weights, kLanes);
      mask_panel(a, rows, p, weights, kLanes, s0, s0 + count);
      softmax_panel(weights, count, i == 0, state.top + lane0, state.sum + lane0, state.fade + lane0);
      if (a.keep.data) drop_panel(a, rows, p, weights, kLanes, s0, s0 + count);
      for (int64_t r = lane0; i > 0 && r < lane0 + lanes; ++r) {
        if (state.fade[r] != 1) scale_row(y + r * a.e, a.e, state.fade[r]);
      }
      multiply({lanes, a.e, count, weights, 1, kLanes, right + s0 * kLanes, a.keys * kLanes, y + lane0 * a.e, i == 0});
    }
  }
  for (int64_t r = 0; r < rows.count; ++r) {
    const bool empty = rows.highest < 0 || state.sum[r] == 0;
    if (rows.highest < 0) {
      for (int64_t i = 0; i < a.e; ++i) y[r * a.e + i] = 0;
    } else {
      scale_row(y + r * a.e, a.e, empty ? 0 : 1 / state.sum[r]);
    }
    totals[r] = empty ? kInfF : state.top[r] + log_f32(state.sum[r]);
  }
}

// Packed keys and values of one pass over heads.
constexpr int64_t kPackedHeadsBytes = int64_t(16) << 20;

static Status sdpa_kernel(KernelCall& call) {
  Attention attention;
  if (!attention.init(call, 0)) return Status::unsupported;
  ForwardJob job{attention, key_blocks(attention), row_blocks(attention), reinterpret_cast<float*>(call.out[0].data),
                 reinterpret_cast<float*>(call.out[1].data), nullptr, nullptr, 0, 0, 0};
  const Attention& a = job.a;
  const int64_t heads = a.batch * a.key_heads;
  job.left_pitch = left_size(job.keys, a.d);
  job.right_pitch = right_size(a.keys, a.e);
  const int64_t one = job.left_pitch + job.right_pitch, pass = min64(heads, max64(1, kPackedHeadsBytes / 4 / max64(one, 1)));
  float* const packed = static_cast<float*>(shared_scratch(call.pool, sizeof(float) * size_t(pass * one + Vec<float>::n)));
  if (!packed) return Status::out_of_memory;
  int no_memory = 0;
  for (job.head0 = 0; job.head0 < heads; job.head0 += pass) {
    const int64_t count = min64(pass, heads - job.head0);
    float *left = packed, *right = packed + pass * job.left_pitch;
    job.left = left;
    job.right = right;
    parallel_ranges(call.pool, count * job.keys.count, 0.3 * double(job.keys.size * (a.d + a.e)), [&](int64_t begin, int64_t end, int) {
      for (int64_t u = begin; u < end; ++u) {
        const int64_t i = u / job.keys.count, head = job.head0 + i, b = head / a.key_heads, h = head % a.key_heads;
        pack_left(job.keys, u % job.keys.count, a.k, a.k.at(b, h, 0), a.d, left + i * job.left_pitch);
        pack_right(job.keys, u % job.keys.count, a.v, a.v.at(b, h, 0), a.e, right + i * job.right_pitch);
      }
    });
    const double unit = 0.03 * double(job.rows.size) * double(a.keys) * double(a.d + a.e + 8);
    parallel_ranges(call.pool, count * job.rows.count, unit, [&](int64_t begin, int64_t end, int worker) {
      float* scratch = static_cast<float*>(worker_scratch(call.pool, worker, sizeof(float) * size_t(forward_scratch(a))));
      if (!scratch) return __atomic_store_n(&no_memory, 1, __ATOMIC_RELAXED);
      for (int64_t u = begin; u < end; ++u) attend_rows(job, job.head0 + u / job.rows.count, u % job.rows.count, scratch);
    });
  }
  return no_memory ? Status::out_of_memory : Status::ok;
}

}  // namespace
}  // namespace kaimo
