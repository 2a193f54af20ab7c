// attention_grad.h against formulas in double.
#pragma once
#include "../kernels/attention_grad.h"
#include "check.h"

namespace kaimo {

struct AttentionCase {
  int64_t batch, heads, key_heads, queries, keys, d, e;
  bool causal;
  int64_t mask;
  bool lengths, starts, keep;
};

// Gradients and values of one case by definition, rows in turn.
struct AttentionByHand {
  std::vector<double> y, totals, dq, dk, dv;
};

static AttentionByHand attention_by_hand(const AttentionCase& c, const std::vector<Tensor>& in, const Tensor& ct, double scale, double kept) {
  const Tensor &q = in[0], &k = in[1], &v = in[2];
  size_t next = 3;
  const Tensor* mask = c.mask == kNoMask ? nullptr : &in[next++];
  const Tensor* lengths = c.lengths ? &in[next++] : nullptr;
  const Tensor* starts = c.starts ? &in[next++] : nullptr;
  const Tensor* keep = c.keep ? &in[next++] : nullptr;
  AttentionByHand r;
  const int64_t group = c.heads / c.key_heads;
  r.dq.assign(size_t(c.batch * c.heads * c.queries * c.d), 0);
  r.dk.assign(size_t(c.batch * c.key_heads * c.keys * c.d), 0);
  r.dv.assign(size_t(c.batch * c.key_heads * c.keys * c.e), 0);
  each_index({c.batch, c.heads, c.queries}, [&](const std::vector<int64_t>& row, int64_t at) {
    const int64_t b = row[0], h = row[1], t = row[2], kh = h / group, key0 = (b * c.key_heads + kh) * c.keys;
    std::vector<double> w(size_t(c.keys)), g(size_t(c.keys));
    double top = -INFINITY, sum = 0, delta = 0;
    const auto clipped = [](const Tensor& m, std::vector<int64_t> i) {
      for (int d = 0; d < 4; d++) i[size_t(d)] = m.view.dims[d] == 1 ? 0 : i[size_t(d)];
      return m.at(i);
    };
    for (int64_t s = 0; s < c.keys; s++) {
      double x = 0;
      for (int64_t i = 0; i < c.d; i++) x += scale * q.at({b, h, t, i}) * k.at({b, kh, s, i});
      if (c.mask == kBoolMask && clipped(*mask, {b, h, t, s}) == 0) x = -INFINITY;
      if (c.mask == kAddedMask) x += clipped(*mask, {b, h, t, s});
      if (lengths && double(s) >= lengths->at({b})) x = -INFINITY;
      if (c.causal && double(s) > double(t) + (starts ? starts->at({b}) : 0)) x = -INFINITY;
      w[size_t(s)] = x;
      top = std::max(top, x);
    }
    for (double x : w) sum += top == -INFINITY ? 0 : std::exp(x - top);
    r.totals.push_back(sum == 0 ? INFINITY : top + std::log(sum));
    for (double& x : w) x = sum == 0 ? 0 : std::exp(x - top) / sum;
    const auto factor = [&](int64_t s) { return !keep ? 1 : keep->at({b, h, t, s}) != 0 ? kept : 0; };
    for (int64_t i = 0; i < c.e; i++) {
      double y = 0;
      for (int64_t s = 0; s < c.keys; s++) y += w[size_t(s)] * factor(s) * v.at({b, kh, s, i});
      r.y.push_back(y);
      delta += y * ct.at({b, h, t, i});
    }
    for (int64_t s = 0; s < c.keys; s++) {
      double dw = 0;
      for (int64_t i = 0; i < c.e; i++) {
        dw += ct.at({b, h, t, i}) * v.at({b, kh, s, i}) * factor(s);
        r.dv[size_t((key0 + s) * c.e + i)] += w[size_t(s)] * factor(s) * ct.at({b, h, t, i});
      }
      const double slope = w[size_t(s)] * (dw - delta) * scale;
      for (int64_t i = 0; i < c.d; i++) {
        r.dq[size_t(at * c.d + i)] += slope * k.at({b, kh, s, i});
        r.dk[size_t((key0 + s) * c.d + i)] += slope * q.at({b, h, t, i});
      }
    }
  });
  return r;
}

static void test_attention_case(const AttentionCase& c) {
  const double scale = 0.25, kept = 1.25;
  const auto part = [&](int64_t heads, int64_t rows, int64_t features) {
    Tensor x = random_view(DType::f32, {c.batch, heads, rows, features});
    for (int64_t i = 0; i < int64_t(x.memory.size() / 4); i++) set(x.memory.data(), DType::f32, i, random_value() / 4);
    return x;
  };
  std::vector<Tensor> in;
  in.push_back(part(c.heads, c.queries, c.d));
  in.push_back(part(c.key_heads, c.keys, c.d));
  in.push_back(part(c.key_heads, c.keys, c.e));
  const std::vector<int64_t> full = {c.batch, c.heads, c.queries, c.keys};
  std::vector<int64_t> spread = full;
  for (int64_t& n : spread) n = random_below(2) ? n : 1;
  if (c.mask == kBoolMask) in.push_back(filled(DType::boolean, spread, [](int64_t) { return random_below(4) ? 1.0 : 0.0; }));
  if (c.mask == kAddedMask) in.push_back(filled(DType::f32, spread, [](int64_t) { return random_below(6) ? random_value() : -INFINITY; }));
  const auto per_batch = [&] { return filled(DType::i32, {c.batch}, [&](int64_t) { return double(random_below(c.keys + 3)) - 1; }); };
  if (c.lengths) in.push_back(per_batch());
  if (c.starts) in.push_back(per_batch());
  if (c.keep) in.push_back(filled(DType::boolean, full, [](int64_t) { return random_below(5) ? 1.0 : 0.0; }));
  Tensor ct = part(c.heads, c.queries, c.e), y = dense(DType::f32, {c.batch, c.heads, c.queries, c.e}), totals = dense(DType::f32, {c.batch, c.heads, c.queries});
  Tensor dq = dense(DType::f32, {c.batch, c.heads, c.queries, c.d}), dk = dense(DType::f32, {c.batch, c.key_heads, c.keys, c.d}), dv = dense(DType::f32, {c.batch, c.key_heads, c.keys, c.e});
  const AttentionByHand want = attention_by_hand(c, in, ct, scale, kept);
  Tensor delta = filled(DType::f32, {c.batch, c.heads, c.queries}, [&](int64_t row) {
    double sum = 0;
    for (int64_t i = 0; i < c.e; i++) sum += want.y[size_t(row * c.e + i)] * ct.at({row / c.queries / c.heads, row / c.queries % c.heads, row % c.queries, i});
    return sum;
  });
  std::vector<Operand> views;
  for (const Tensor& x : in) views.push_back(x.view);
  const std::vector<int64_t> ints = {c.causal, c.mask, c.lengths, c.starts, c.keep};
  const std::vector<Operand> operands = views;
  std::vector<char> bits;
  for (int threads : {1, 2}) {
    views = operands;
    check(run(find(kAttentionKernels, "sdpa"), views, {y.view, totals.view}, ints, {scale, kept}, threads) == Status::ok, "sdpa runs");
    views.insert(views.begin(), {ct.view, totals.view, delta.view});
    check(run(find(kAttentionKernels, "sdpa_grad"), views, {dq.view, dk.view, dv.view}, ints, {scale, kept}, threads) == Status::ok, "sdpa_grad runs");
    std::vector<char> now;
    for (const Tensor* x : {&y, &totals, &dq, &dk, &dv}) now.insert(now.end(), x->memory.begin(), x->memory.end());
    check(threads == 1 || now == bits, "attention has the same bits at any number of threads");
    bits = now;
  }
  const std::string name = shape_text({c.batch, c.heads, c.key_heads, c.queries, c.keys, c.d, c.e}) + " mask " + std::to_string(c.mask) + (c.causal ? " causal" : "");
  const auto compare = [&](const char* what, const Tensor& got, const std::vector<double>& wanted) {
    bool good = true;
    for (size_t i = 0; i < wanted.size(); i++) good = good && near(got.flat(int64_t(i)), wanted[i], 2e-5);
    check(good, std::string(what) + " " + name);
  };
  compare("sdpa", y, want.y);
  compare("log totals", totals, want.totals);
  compare("dq", dq, want.dq);
  compare("dk", dk, want.dk);
  compare("dv", dv, want.dv);
}

static void test_attention() {
  const int64_t shapes[][7] = {{1, 1, 1, 1, 1, 1, 1}, {2, 4, 2, 5, 7, 8, 3}, {1, 3, 1, 70, 131, 20, 33}, {1, 2, 2, 99, 17, 64, 16}, {3, 9, 9, 2, 140, 5, 40}, {1, 2, 1, 3, 0, 4, 4}, {1, 2, 1, 3, 5, 0, 4}, {2, 2, 2, 0, 3, 4, 4}};
  for (const auto& s : shapes)
    for (int mode = 0; mode < 12; mode++)
      test_attention_case({s[0], s[1], s[2], s[3], s[4], s[5], s[6], mode % 2 == 1, mode % 3, random_below(3) == 0, random_below(3) == 0, random_below(2) == 0});
}

}  // namespace kaimo
