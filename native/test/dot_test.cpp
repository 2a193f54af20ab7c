// dot_general against naive loops: odd shapes, strides, dtypes, NaN and infinities, and the contract on the order of sums.
//   g++ -std=c++17 -O1 -g -fsanitize=address,undefined -mavx2 -mfma -mf16c native/test/dot_test.cpp -o dot_test -pthread && ./dot_test
#include "../kernels/dot_general.h"
#include "kernel_test.h"

using namespace kaimo;

static Random rnd;

struct Shape {
  std::vector<int64_t> batch, lhs_free, rhs_free, contract;
};

static std::string text(const Shape& s, DType t) {
  std::string r = "dot dtype " + std::to_string(int(t)) + " ";
  for (const auto* v : {&s.batch, &s.lhs_free, &s.rhs_free, &s.contract}) {
    r += "[";
    for (int64_t d : *v) r += std::to_string(d) + " ";
    r += "]";
  }
  return r;
}

// Places the dims of three lists in random order; returns the dims and where each list's dims went.
static std::vector<int64_t> place(const std::vector<const std::vector<int64_t>*>& lists, std::vector<std::vector<int64_t>>* where) {
  std::vector<std::pair<int, int>> slots;
  for (size_t l = 0; l < lists.size(); ++l) {
    for (size_t i = 0; i < lists[l]->size(); ++i) slots.push_back({int(l), int(i)});
  }
  // Free dims (list 1) keep their order; batch and contract dims may go anywhere.
  for (size_t i = slots.size(); i > 1; --i) {
    const size_t j = size_t(rnd.below(int64_t(i)));
    if (slots[i - 1].first != 1 && slots[j].first != 1) std::swap(slots[i - 1], slots[j]);
  }
  where->assign(lists.size(), {});
  for (size_t l = 0; l < lists.size(); ++l) (*where)[l].resize(lists[l]->size());
  std::vector<int64_t> dims;
  for (const auto& s : slots) {
    (*where)[size_t(s.first)][size_t(s.second)] = int64_t(dims.size());
    dims.push_back((*lists[size_t(s.first)])[size_t(s.second)]);
  }
  return dims;
}

struct Problem {
  std::vector<int64_t> ints;
  std::vector<std::vector<int64_t>> lw, rw;
  Problem(const Shape& s, std::vector<int64_t>* ld, std::vector<int64_t>* rd, int64_t act) {
    *ld = place({&s.batch, &s.lhs_free, &s.contract}, &lw);
    *rd = place({&s.batch, &s.rhs_free, &s.contract}, &rw);
    ints = {int64_t(s.batch.size()), int64_t(s.contract.size())};
    for (const auto* v : {&lw[0], &rw[0], &lw[2], &rw[2]}) ints.insert(ints.end(), v->begin(), v->end());
    ints.push_back(act);
  }
};

static double naive(const Problem& p, const Operand& a, const Operand& b, const int64_t* o, const Shape& s, double* magnitude) {
  int64_t ai[kMaxRank] = {}, bi[kMaxRank] = {};
  int d = 0;
  for (size_t i = 0; i < s.batch.size(); ++i, ++d) ai[p.lw[0][i]] = bi[p.rw[0][i]] = o[d];
  for (size_t i = 0; i < s.lhs_free.size(); ++i, ++d) ai[p.lw[1][i]] = o[d];
  for (size_t i = 0; i < s.rhs_free.size(); ++i, ++d) bi[p.rw[1][i]] = o[d];
  int64_t total = 1;
  for (int64_t c : s.contract) total *= c;
  double sum = 0;
  *magnitude = 0;
  for (int64_t k = 0; k < total; ++k) {
    int64_t rest = k;
    for (size_t i = s.contract.size(); i-- > 0;) {
      ai[p.lw[2][i]] = bi[p.rw[2][i]] = rest % s.contract[i];
      rest /= s.contract[i];
    }
    const double v = read_as_double(a, offset_of(a, ai)) * read_as_double(b, offset_of(b, bi));
    sum += v;
    *magnitude += std::fabs(v);
  }
  return sum;
}

static double wrap(DType t, double v) {
  switch (t) {
    case DType::i8: return int8_t(int64_t(v));
    case DType::u8: return uint8_t(int64_t(v));
    case DType::i16: return int16_t(int64_t(v));
    case DType::boolean: return v != 0;
    default: return v;
  }
}

static void compare(const Shape& s, DType t, bool strided, bool bias, bool act, Pool* one, Pool* two, bool packed) {
  const std::string name = text(s, t) + (strided ? " strided" : "") + (bias ? " bias" : "") + (act ? " relu" : "") + (packed ? " packed" : "");
  std::vector<int64_t> ld, rd, od = s.batch;
  const Problem p(s, &ld, &rd, act ? 1 : 0);
  od.insert(od.end(), s.lhs_free.begin(), s.lhs_free.end());
  od.insert(od.end(), s.rhs_free.begin(), s.rhs_free.end());
  Tensor a(t, ld, &rnd, strided), b(t, rd, &rnd, strided), c(t, od), c2(t, od), bb(t, s.rhs_free, &rnd, strided);
  std::vector<Operand> in = {a.view, b.view};
  if (bias) in.push_back(bb.view);
  KernelCall call = make_call(one, in, &c.view, p.ints);
  if (!check(dot_general(call) == Status::ok, name + " status")) return;
  KernelCall call2 = make_call(two, in, &c2.view, p.ints);
  std::vector<char> pack_memory;
  if (packed) {
    std::vector<int64_t> ints = {int64_t(s.contract.size())};
    ints.insert(ints.end(), p.rw[2].begin(), p.rw[2].end());
    Tensor size(DType::i64, {});
    KernelCall query = make_call(one, {b.view}, &size.view, ints);
    const std::vector<Operand> rhs = {b.view};
    query.in = rhs.data();
    check(pack_rhs_size(query) == Status::ok, name + " pack size");
    const int64_t elements = *reinterpret_cast<int64_t*>(size.view.data);
    pack_memory.resize(size_t(elements) * 4);
    Operand packed_view{pack_memory.data(), DType::f32, 1, {elements}, {1}};
    KernelCall pack = make_call(two, rhs, &packed_view, ints);
    check(pack_rhs(pack) == Status::ok, name + " pack");
    in.push_back(packed_view);
    call2 = make_call(two, in, &c2.view, p.ints);
    check(dot_general_packed(call2) == Status::ok, name + " packed status");
  } else {
    check(dot_general(call2) == Status::ok, name + " status of two threads");
  }
  check(c.memory == c2.memory, name + " differs between threads or packing");
  if (element_count(c.view) == 0) return;
  const double eps = t == DType::f64 ? 1e-15 : t == DType::f32 ? 3e-7 : t == DType::f16 ? 6e-4 : t == DType::bf16 ? 4e-3 : 0;
  int64_t o[kMaxRank] = {};
  do {
    double magnitude;
    double want = naive(p, a.view, b.view, o, s, &magnitude);
    if (bias) want += read_as_double(bb.view, offset_of(bb.view, o + s.batch.size() + s.lhs_free.size()));
    if (act) want = want <= 0 ? 0 : want;
    want = wrap(t, want);
    const double got = read_as_double(c.view, offset_of(c.view, o));
    if (!check(close_to(got, want, eps * (magnitude + 1) * (t == DType::f32 || t == DType::f64 ? 4 : 1), eps), name + " got " + std::to_string(got) + " want " + std::to_string(want))) return;
  } while (advance(c.view, o));
}

static void shapes(Pool* one, Pool* two) {
  const int64_t sizes[] = {0, 1, 2, 3, 5, 6, 7, 8, 13, 16, 17, 31, 33, 64, 97, 130, 257, 300};
  const DType dtypes[] = {DType::f32, DType::f32, DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16, DType::u8, DType::i32, DType::u32, DType::i64, DType::boolean};
  const auto pick = [&](int64_t limit) {
    for (;;) {
      const int64_t v = sizes[rnd.below(18)];
      if (v <= limit) return v;
    }
  };
  for (int i = 0; i < 500; ++i) {
    Shape s;
    const DType t = dtypes[rnd.below(13)];
    int64_t budget = 60000;
    const auto add = [&](std::vector<int64_t>* list, int64_t most) {
      const int64_t v = pick(std::min(budget, most));
      budget /= std::max<int64_t>(1, v);
      list->push_back(v);
    };
    for (int64_t n = rnd.below(3); n > 0; --n) add(&s.batch, 5);
    for (int64_t n = rnd.below(8) ? 1 : rnd.below(3); n > 0; --n) add(&s.lhs_free, 300);
    for (int64_t n = rnd.below(8) ? 1 : rnd.below(3); n > 0; --n) add(&s.rhs_free, 300);
    for (int64_t n = rnd.below(8) ? 1 : rnd.below(3); n > 0; --n) add(&s.contract, 300);
    const bool floating = t <= DType::bf16;
    const bool packed = t == DType::f32 && s.batch.empty() && rnd.below(2);
    compare(s, t, rnd.below(2), floating && rnd.below(2), floating && rnd.below(2), one, two, packed);
  }
  compare({{}, {300}, {70}, {600}}, DType::f32, false, true, true, one, two, true);
  compare({{}, {131}, {530}, {97}}, DType::f32, false, true, false, one, two, false);
  compare({{}, {1}, {515}, {777}}, DType::f32, false, true, false, one, two, true);
  compare({{3}, {150}, {40}, {40}}, DType::f32, false, false, false, one, two, false);
  compare({{}, {200}, {5}, {1030}}, DType::f64, false, true, false, one, two, false);
}

// Row i of a product equals, bit for bit, the product of row i alone, for every M and both storage orders of rhs.
static void batch_equals_single(Pool* pool) {
  for (int64_t k : {1, 7, 255, 256, 257, 784, 1000}) {
    for (int64_t n : {1, 10, 16, 50, 129}) {
      for (bool transposed : {false, true}) {
        Tensor a(DType::f32, {150, k}, &rnd), b(DType::f32, transposed ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}, &rnd);
        Tensor c(DType::f32, {150, n});
        const std::vector<int64_t> ints = {0, 1, 1, transposed ? 1 : 0, 0};
        for (int64_t m : {150, 128, 37, 6, 3, 1}) {
          const int64_t start = m == 150 ? 0 : 150 - m;
          Operand rows = a.view;
          rows.dims[0] = m;
          rows.data += start * k * 4;
          Tensor part(DType::f32, {m, n});
          const std::vector<Operand> in = {rows, b.view};
          KernelCall call = make_call(pool, in, m == 150 ? &c.view : &part.view, ints);
          check(dot_general(call) == Status::ok, "rows status");
          if (m == 150) continue;
          check(std::memcmp(part.memory.data(), c.memory.data() + start * n * 4, size_t(m * n * 4)) == 0,
                "rows differ: m " + std::to_string(m) + " n " + std::to_string(n) + " k " + std::to_string(k) + (transposed ? " bT" : ""));
        }
      }
    }
  }
}

static void specials(Pool* pool) {
  const float inf = INFINITY;
  for (int64_t m : {1, 5, 140}) {
    for (int64_t n : {1, 3, 16, 40}) {
      Tensor a(DType::f32, {m, 9}, &rnd), b(DType::f32, {9, n}, &rnd), c(DType::f32, {m, n});
      write_double(a.view, 2, inf);
      write_double(b.view, 5 * n, NAN);
      const std::vector<Operand> in = {a.view, b.view};
      const std::vector<int64_t> ints = {0, 1, 1, 0, 1};
      KernelCall call = make_call(pool, in, &c.view, ints);
      check(dot_general(call) == Status::ok, "specials status");
      for (int64_t i = 0; i < m; ++i) {
        check(std::isnan(read_as_double(c.view, i * n)), "NaN column passes relu");
        for (int64_t j = 1; j < n; ++j) {
          const double got = read_as_double(c.view, i * n + j), sign = read_as_double(b.view, 2 * n + j);
          check(i == 0 ? got == (sign > 0 ? inf : 0) : std::isfinite(got), "infinite row");
        }
      }
    }
  }
}

int main() {
  Pool one(1), two(3);
  shapes(&one, &two);
  batch_equals_single(&two);
  specials(&two);
  return report("dot_test");
}
