// convolution, its gradients and windows against naive loops: odd shapes, every layout, strides, dilations, groups, dtypes.
//   g++ -std=c++17 -O1 -g -fsanitize=address,undefined -mavx2 -mfma -mf16c native/test/conv_test.cpp -o conv_test -pthread && ./conv_test
#include "../kernels/conv_grad.h"
#include "kernel_test.h"

using namespace kaimo;

static Random rnd;

using Dims = std::vector<int64_t>;

struct Case {
  int64_t rank, batch, ci, co, feature_groups = 1, batch_groups = 1;  // ci a group, co in all
  Dims in, taps, stride, lo, hi, ldil, rdil, out;
  Dims x_order, w_order, y_order;  // place of batch/in, feature/out, spatial...
  bool strided = false, bias = false, relu = false;
  bool by_tiles = false;  // Winograd's kernels may be chosen
  int special = 0;  // 1: some elements of x are infinite or no numbers, 2: one of w is
  DType dtype = DType::f32;

  void finish() {
    out.clear();
    for (size_t d = 0; d < size_t(rank); ++d) {
      const int64_t dilated = in[d] == 0 ? 0 : (in[d] - 1) * ldil[d] + 1, window = taps[d] == 0 ? 0 : (taps[d] - 1) * rdil[d] + 1;
      const int64_t room = dilated + lo[d] + hi[d] - window;
      out.push_back(room < 0 ? 0 : room / stride[d] + 1);
    }
  }
  Dims ints() const {
    Dims r = {rank};
    for (const Dims* v : {&x_order, &w_order, &y_order, &stride, &lo, &hi, &ldil, &rdil}) r.insert(r.end(), v->begin(), v->end());
    r.push_back(feature_groups);
    r.push_back(batch_groups);
    r.push_back(relu);
    return r;
  }
  std::string text() const {
    std::string r = "conv dtype " + std::to_string(int(dtype)) + (strided ? " strided" : "") + (bias ? " bias" : "") + (relu ? " relu" : "") + " n " + std::to_string(batch) + " ci " +
                    std::to_string(ci) + " co " + std::to_string(co) + " fg " + std::to_string(feature_groups) + " bg " + std::to_string(batch_groups);
    const char* names[] = {" in", " taps", " stride", " lo", " hi", " ldil", " rdil", " x", " w", " y"};
    int i = 0;
    for (const Dims* v : {&in, &taps, &stride, &lo, &hi, &ldil, &rdil, &x_order, &w_order, &y_order}) {
      r += names[i++];
      for (int64_t d : *v) r += "," + std::to_string(d);
    }
    return r;
  }
};

static Dims place(const Dims& order, const Dims& logical) {
  Dims r(logical.size());
  for (size_t i = 0; i < logical.size(); ++i) r[size_t(order[i])] = logical[i];
  return r;
}

static Dims join(int64_t a, int64_t b, const Dims& c) {
  Dims r = {a, b};
  r.insert(r.end(), c.begin(), c.end());
  return r;
}

// Strides of a view by role: batch or in, feature or out, spatial.
struct Roles {
  int64_t first, second, spatial[3] = {};
  Roles(const Operand& v, const Dims& order) : first(v.strides[order[0]]), second(v.strides[order[1]]) {
    for (size_t d = 2; d < order.size(); ++d) spatial[d - 2] = v.strides[order[d]];
  }
};

// Calls f(x offset, w offset, y offset) for every product of the convolution.
template <typename F>
static void every_product(const Case& c, const Operand& x, const Operand& w, const Operand& y, F f) {
  const int64_t co = c.co / (c.feature_groups * c.batch_groups);
  const size_t r = size_t(c.rank);
  const Roles xr(x, c.x_order), wr(w, c.w_order), yr(y, c.y_order);
  int64_t outs = 1, taps = 1;
  for (size_t d = 0; d < r; ++d) outs *= c.out[d], taps *= c.taps[d];
  for (int64_t p = 0; p < outs; ++p) {
    for (int64_t t = 0; t < taps; ++t) {
      int64_t pr = p, tr = t, xo = 0, wo = 0, yo = 0;
      bool inside = true;
      for (size_t d = r; d-- > 0;) {
        const int64_t pi = pr % c.out[d], ti = tr % c.taps[d], at = pi * c.stride[d] - c.lo[d] + ti * c.rdil[d];
        pr /= c.out[d];
        tr /= c.taps[d];
        inside = inside && at >= 0 && at % c.ldil[d] == 0 && at / c.ldil[d] < c.in[d];
        xo += at / c.ldil[d] * xr.spatial[d];
        wo += ti * wr.spatial[d];
        yo += pi * yr.spatial[d];
      }
      if (!inside) continue;
      for (int64_t n = 0; n < c.batch; ++n) {
        for (int64_t o = 0; o < c.co; ++o) {
          const int64_t group = o / co, xn = c.batch_groups > 1 ? group * c.batch + n : n, xc = c.feature_groups > 1 ? group * c.ci : 0;
          for (int64_t i = 0; i < c.ci; ++i) {
            f(xo + xn * xr.first + (xc + i) * xr.second, wo + i * wr.first + o * wr.second, yo + n * yr.first + o * yr.second);
          }
        }
      }
    }
  }
}

// A view as doubles, indexed by offset (which may be negative).
struct Values {
  std::vector<double> data;
  int64_t low = 0;
  explicit Values(const Tensor& t) {
    const int64_t size = element_size(t.view.dtype);
    low = (t.view.data - t.memory.data()) / size;
    for (int64_t i = 0; i < int64_t(t.memory.size()) / size; ++i) data.push_back(read_as_double(t.view, i - low));
  }
  double operator[](int64_t offset) const { return data[size_t(offset + low)]; }
};

struct Problem {
  Tensor x, w, y, y2, bias;
  explicit Problem(const Case& c)
      : x(c.dtype, place(c.x_order, join(c.batch * c.batch_groups, c.ci * c.feature_groups, c.in)), &rnd, c.strided),
        w(c.dtype, place(c.w_order, join(c.ci, c.co, c.taps)), &rnd, c.strided),
        y(c.dtype, place(c.y_order, join(c.batch, c.co, c.out))),
        y2(c.dtype, place(c.y_order, join(c.batch, c.co, c.out))),
        bias(c.dtype, {c.co}, &rnd, c.strided) {
    for (int i = 0; i < (c.special == 1 ? 3 : c.special == 2 ? 1 : 0); ++i) {
      const Operand& v = c.special == 1 ? x.view : w.view;
      int64_t offset = 0;
      for (int d = 0; d < v.rank; ++d) offset += rnd.below(v.dims[d]) * v.strides[d];
      write_double(v, offset, i == 1 ? double(NAN) : double(INFINITY));
    }
  }
};

static double tolerance(DType t) { return t == DType::f64 ? 1e-14 : t == DType::f32 ? 1e-6 : t == DType::f16 ? 1e-3 : t == DType::bf16 ? 8e-3 : 0; }

static double wrapped(DType t, double v) {
  return t == DType::i8 ? int8_t(int64_t(v)) : t == DType::u8 ? uint8_t(int64_t(v)) : t == DType::i16 ? int16_t(int64_t(v)) : t == DType::boolean ? v != 0 : v;
}

// Compares a result with sums and the sums of magnitudes that belong to it (indexed by dense element).
static void compare(const Tensor& got, const std::vector<double>& sum, std::vector<double> magnitude, const std::string& name, bool by_tiles) {
  // A transform adds what lies beside an element's own window.
  double largest = 0;
  for (double m : magnitude) largest = std::isfinite(m) ? std::max(largest, m) : largest;
  if (by_tiles) std::fill(magnitude.begin(), magnitude.end(), largest);
  for (size_t i = 0; i < sum.size(); ++i) {
    const double g = read_as_double(got.view, int64_t(i)), want = wrapped(got.view.dtype, sum[i]), tol = tolerance(got.view.dtype);
    if (!check(close_to(g, want, tol * (1 + magnitude[i]), tol), name + " got " + std::to_string(g) + " want " + std::to_string(want))) return;
  }
}

static void forward(const Case& c, Pool* one, Pool* two) {
  Problem p(c);
  std::vector<Operand> in = {p.x.view, p.w.view};
  if (c.bias) in.push_back(p.bias.view);
  const Dims ints = c.ints();
  KernelCall call = make_call(one, in, &p.y.view, ints), call2 = make_call(two, in, &p.y2.view, ints);
  if (!check(convolution(call) == Status::ok, c.text() + " status")) return;
  check(convolution(call2) == Status::ok, c.text() + " status");
  check(p.y.memory == p.y2.memory, c.text() + " differs between threads");
  const size_t count = size_t(element_count(p.y.view));
  std::vector<double> sum(count), magnitude(count);
  const Values x(p.x), w(p.w);
  every_product(c, p.x.view, p.w.view, p.y.view, [&](int64_t xo, int64_t wo, int64_t yo) {
    const double v = x[xo] * w[wo];
    sum[size_t(yo)] += v;
    magnitude[size_t(yo)] += std::fabs(v);
  });
  if (count) {
    int64_t index[kMaxRank] = {};
    do {
      double& v = sum[size_t(offset_of(p.y.view, index))];
      if (c.bias) v += read_as_double(p.bias.view, index[c.y_order[1]] * p.bias.view.strides[0]);
      if (c.relu && v <= 0) v = 0;
    } while (advance(p.y.view, index));
  }
  compare(p.y, sum, magnitude, c.text(), c.by_tiles);
}

// Gradients: y plays the cotangent.
static void gradients(Case c, Pool* one, Pool* two) {
  if (c.dtype > DType::bf16) c.dtype = DType::f32;
  c.bias = c.relu = false;
  Problem p(c);
  Tensor g(c.dtype, place(c.y_order, join(c.batch, c.co, c.out)), &rnd, c.strided);
  const Dims ints = c.ints();
  for (bool input : {true, false}) {
    const std::string name = (input ? "input grad " : "weight grad ") + c.text();
    const Operand& shape = input ? p.x.view : p.w.view;
    const Dims dims(shape.dims, shape.dims + shape.rank);
    Tensor out(c.dtype, dims), out2(c.dtype, dims);
    const std::vector<Operand> in = input ? std::vector<Operand>{g.view, p.w.view} : std::vector<Operand>{p.x.view, g.view};
    KernelCall call = make_call(one, in, &out.view, ints), call2 = make_call(two, in, &out2.view, ints);
    const Kernel kernel = input ? conv_input_grad : conv_weight_grad;
    if (!check(kernel(call) == Status::ok, name + " status")) return;
    kernel(call2);
    check(out.memory == out2.memory, name + " differs between threads");
    const size_t count = size_t(element_count(out.view));
    std::vector<double> sum(count), magnitude(count);
    const Values left(input ? g : p.x), right(input ? p.w : g);
    const auto add = [&](size_t at, double v) {
      sum[at] += v;
      magnitude[at] += std::fabs(v);
    };
    if (input) {
      every_product(c, out.view, p.w.view, g.view, [&](int64_t xo, int64_t wo, int64_t yo) { add(size_t(xo), left[yo] * right[wo]); });
    } else {
      every_product(c, p.x.view, out.view, g.view, [&](int64_t xo, int64_t wo, int64_t yo) { add(size_t(wo), left[xo] * right[yo]); });
    }
    compare(out, sum, magnitude, name, c.by_tiles);
  }
}

static Dims shuffled(int64_t n) {
  Dims r;
  for (int64_t i = 0; i < n; ++i) r.push_back(i);
  for (int64_t i = n; i > 1; --i) std::swap(r[size_t(i - 1)], r[size_t(rnd.below(i))]);
  return r;
}

static Case random_case() {
  Case c;
  c.rank = rnd.below(6) ? 2 : rnd.below(4);
  c.batch = 1 + rnd.below(3);
  const int64_t kind = rnd.below(8);
  const int64_t groups = kind == 0 ? 1 + rnd.below(20) : kind < 3 ? 2 + rnd.below(3) : 1;
  c.ci = kind == 0 ? 1 : 1 + rnd.below(rnd.below(4) ? 6 : 20);
  c.co = groups * (kind == 0 ? 1 + rnd.below(2) : 1 + rnd.below(rnd.below(4) ? 8 : 40));
  (rnd.below(4) == 0 ? c.batch_groups : c.feature_groups) = groups;
  for (int64_t d = 0; d < c.rank; ++d) {
    c.taps.push_back(rnd.below(4) ? 1 + rnd.below(4) : 1);
    c.in.push_back(rnd.below(30) == 0 ? 0 : 1 + rnd.below(c.rank == 1 ? 80 : c.rank == 2 ? (rnd.below(3) ? 9 : 22) : 6));
    c.stride.push_back(rnd.below(2) ? 1 : 1 + rnd.below(3));
    c.ldil.push_back(rnd.below(4) ? 1 : 1 + rnd.below(3));
    c.rdil.push_back(rnd.below(4) ? 1 : 1 + rnd.below(3));
    c.lo.push_back(rnd.below(3) - (rnd.below(6) == 0 ? 2 : 0));
    c.hi.push_back(rnd.below(3) - (rnd.below(6) == 0 ? 2 : 0));
  }
  const int64_t layout = rnd.below(3), n = c.rank + 2;
  Dims first, last = {0, n - 1}, hwio = {n - 2, n - 1};  // NCHW and NHWC, HWIO
  for (int64_t i = 0; i < n; ++i) first.push_back(i);
  for (int64_t i = 1; i < n - 1; ++i) last.push_back(i);
  for (int64_t i = 0; i < n - 2; ++i) hwio.push_back(i);
  Dims oihw = first;
  std::swap(oihw[0], oihw[1]);
  c.x_order = layout == 0 ? first : layout == 1 ? last : shuffled(n);
  c.y_order = layout == 0 ? first : layout == 1 ? last : shuffled(n);
  c.w_order = rnd.below(4) == 0 ? shuffled(n) : layout == 1 ? hwio : oihw;
  c.strided = rnd.below(3) == 0;
  const DType dtypes[] = {DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16, DType::u8, DType::i32, DType::u32, DType::i64, DType::boolean};
  if (rnd.below(4) == 0) c.dtype = dtypes[rnd.below(10)];
  const bool floating = c.dtype <= DType::bf16;
  c.bias = floating && rnd.below(2);
  c.relu = floating && rnd.below(2);
  c.finish();
  return c;
}

static Case square(int64_t batch, int64_t ci, int64_t co, int64_t size, int64_t taps, int64_t stride, bool last) {
  Case c;
  c.rank = 2;
  c.batch = batch;
  c.ci = ci;
  c.co = co;
  c.in = {size, size};
  c.taps = {taps, taps};
  c.stride = {stride, stride};
  c.lo = c.hi = {taps / 2, taps / 2};
  c.ldil = c.rdil = {1, 1};
  c.x_order = c.y_order = last ? Dims{0, 3, 1, 2} : Dims{0, 1, 2, 3};
  c.w_order = last ? Dims{2, 3, 0, 1} : Dims{1, 0, 2, 3};
  c.finish();
  return c;
}

// Shapes that Winograd's kernels take, in every layout.
static Case winograd_case(int i) {
  Case c = square(5 + rnd.below(4), 32 + 8 * rnd.below(3), 32 + 8 * rnd.below(4), 0, 3, 1, i % 2 == 1);
  for (int64_t& extent : c.in) extent = 6 + rnd.below(10);
  c.lo = {rnd.below(3), rnd.below(3)};
  c.hi = {rnd.below(3), rnd.below(3)};
  if (i % 5 == 4) c.x_order = shuffled(4), c.y_order = shuffled(4), c.w_order = shuffled(4);
  c.bias = i % 3 == 0;
  c.relu = i % 4 == 0;
  c.strided = i % 7 == 6;
  c.special = i % 3 == 1 ? 1 : 0;
  c.by_tiles = true;
  if (i % 8 == 7) c.special = 2, c.lo = c.hi = {0, 0};
  c.finish();
  return c;
}

// Whether the kernel by Winograd takes it.
static bool by_winograd(const Case& c) {
  const Problem p(c);
  const Dims numbers = c.ints();
  const std::vector<Operand> in = {p.x.view, p.w.view};
  KernelCall call = make_call(nullptr, in, &p.y.view, numbers);
  ConvInts parsed;
  ConvShape s;
  return parse_conv_ints(call, &parsed) && make_conv(parsed, p.x.view, p.w.view, p.y.view, &s) && worth_winograd(s) && worth_winograd_grad(s);
}

static void winograd(int cases, Pool* one, Pool* two) {
  int taken = 0;
  for (int i = 0; i < cases; ++i) {
    Case c = winograd_case(i);
    taken += by_winograd(c);
    forward(c, one, two);
    if (c.special != 2) gradients(c, one, two);
  }
  Case wide = square(1, 32, 32, 9, 3, 1, true);  // rows of tiles in pieces
  wide.in = {70, 150};
  wide.by_tiles = true;
  wide.finish();
  check(by_winograd(wide), "a wide image is left to the direct kernel");
  forward(wide, one, two);
  check(taken * 2 > cases, "few cases reached Winograd's kernels: " + std::to_string(taken) + " of " + std::to_string(cases));
}

int main(int argc, char** argv) {
  Pool one(1), two(3);
  const int cases = argc > 1 ? std::atoi(argv[1]) : 500;
  for (int i = 0; i < cases; ++i) {
    const Case c = random_case();
    forward(c, &one, &two);
    gradients(c, &one, &two);
  }
  for (bool last : {false, true}) {
    for (const Case& c : {square(1, 40, 70, 14, 3, 1, last), square(2, 3, 20, 30, 7, 2, last), square(1, 3, 24, 130, 5, 1, last), square(3, 33, 17, 9, 1, 1, last), square(1, 130, 150, 7, 3, 1, last),
                          square(2, 18, 35, 11, 3, 2, last), square(1, 34, 20, 12, 1, 2, last), square(6, 1, 32, 28, 3, 1, last),
                          square(4, 64, 6, 64, 3, 1, last)}) {  // the last two: sums in splits, several passes
      forward(c, &one, &two);
      gradients(c, &one, &two);
    }
  }
  winograd(16, &one, &two);
  return report("conv_test");
}
