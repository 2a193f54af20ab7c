// reduce_window_* and *_pool_grad against naive loops.
//   g++ -std=c++17 -O1 -g -fsanitize=address,undefined -mavx2 -mfma -mf16c native/test/window_test.cpp -o window_test -pthread && ./window_test
#include "../kernels/window_grad.h"
#include "kernel_test.h"

using namespace kaimo;

static Random rnd;

using Dims = std::vector<int64_t>;

struct Case {
  Dims in, window, stride, lo, hi, base, dilation, out;
  DType dtype;
  bool strided, nan;

  Dims ints() const {
    Dims r;
    for (const Dims* v : {&window, &stride, &lo, &hi, &base, &dilation}) r.insert(r.end(), v->begin(), v->end());
    return r;
  }
  std::string text() const {
    std::string r = "dtype " + std::to_string(int(dtype)) + (strided ? " strided" : "");
    const char* names[] = {" in", " window", " stride", " lo", " hi", " base", " dilation"};
    int i = 0;
    for (const Dims* v : {&in, &window, &stride, &lo, &hi, &base, &dilation}) {
      r += names[i++];
      for (int64_t d : *v) r += "," + std::to_string(d);
    }
    return r;
  }
};

static Case random_case() {
  Case c;
  const int64_t rank = rnd.below(5), layout = rnd.below(3);
  const DType dtypes[] = {DType::f32, DType::f32, DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16, DType::u8, DType::i32, DType::u32, DType::i64, DType::boolean};
  c.dtype = dtypes[rnd.below(13)];
  c.strided = rnd.below(3) == 0;
  c.nan = c.dtype <= DType::bf16 && rnd.below(3) == 0;
  for (int64_t d = 0; d < rank; ++d) {
    const bool plain = layout == 0 ? d < rank - 2 : layout == 1 ? d == 0 || d == rank - 1 : false;
    c.in.push_back(rnd.below(25) == 0 ? 0 : 1 + rnd.below(plain ? 20 : layout == 0 && d == rank - 1 && rnd.below(3) == 0 ? 45 : 9));  // long rows of planes: whole vectors of windows
    c.window.push_back(plain ? 1 : rnd.below(30) == 0 ? 0 : 1 + rnd.below(4));
    c.stride.push_back(plain ? 1 : 1 + rnd.below(3));
    c.lo.push_back(plain ? 0 : rnd.below(3) - (rnd.below(8) == 0 ? 2 : 0));
    c.hi.push_back(plain ? 0 : rnd.below(3));
    c.base.push_back(plain || rnd.below(4) ? 1 : 2);
    c.dilation.push_back(plain || rnd.below(4) ? 1 : 2);
    const int64_t dilated = c.in.back() == 0 ? 0 : (c.in.back() - 1) * c.base.back() + 1, extent = c.window.back() == 0 ? 0 : (c.window.back() - 1) * c.dilation.back() + 1;
    const int64_t room = dilated + c.lo.back() + c.hi.back() - extent;
    c.out.push_back(room < 0 ? 0 : room / c.stride.back() + 1);
  }
  return c;
}

// Calls f(x index) for every element of the window at o, in row-major order.
template <typename F>
static void every_element(const Case& c, const int64_t* o, F f) {
  int64_t taps = 1;
  for (int64_t w : c.window) taps *= w;
  for (int64_t t = 0; t < taps; ++t) {
    int64_t rest = t, i[kMaxRank] = {};
    bool inside = true;
    for (size_t d = c.in.size(); d-- > 0;) {
      const int64_t at = o[d] * c.stride[d] - c.lo[d] + rest % c.window[d] * c.dilation[d];
      rest /= c.window[d];
      inside = inside && at >= 0 && at % c.base[d] == 0 && at / c.base[d] < c.in[d];
      i[d] = at / c.base[d];
    }
    if (inside) f(i);
  }
}

static double lowest(DType t) {
  switch (t) {
    case DType::i8: return -128;
    case DType::i16: return -32768;
    case DType::i32: return -2147483648.0;
    case DType::i64: return double(INT64_MIN);
    case DType::u8: case DType::u32: case DType::boolean: return 0;
    default: return -INFINITY;
  }
}
static double highest(DType t) {
  switch (t) {
    case DType::i8: return 127;
    case DType::i16: return 32767;
    case DType::i32: return 2147483647.0;
    case DType::i64: return double(INT64_MAX);
    case DType::u8: return 255;
    case DType::u32: return 4294967295.0;
    case DType::boolean: return 1;
    default: return INFINITY;
  }
}

static Kernel find(const char* name) {
  for (const KernelEntry& e : kWindowKernels) if (!std::strcmp(e.name, name)) return e.run;
  for (const KernelEntry& e : kWindowGradKernels) if (!std::strcmp(e.name, name)) return e.run;
  return nullptr;
}

static void forward(const Case& c, Pool* one, Pool* two) {
  Tensor x(c.dtype, c.in, &rnd, c.strided);
  if (c.nan && element_count(x.view)) write_double(x.view, 0, NAN);
  for (int kind = 0; kind < 3; ++kind) {
    const char* names[] = {"reduce_window_sum", "reduce_window_max", "reduce_window_min"};
    const std::string name = names[kind] + (" " + c.text());
    Tensor y(c.dtype, c.out), y2(c.dtype, c.out);
    const std::vector<Operand> in = {x.view};
    const Dims ints = c.ints();
    KernelCall call = make_call(one, in, &y.view, ints), call2 = make_call(two, in, &y2.view, ints);
    if (!check(find(names[kind])(call) == Status::ok, name + " status")) return;
    find(names[kind])(call2);
    check(y.memory == y2.memory, name + " differs between threads");
    if (element_count(y.view) == 0) continue;
    int64_t o[kMaxRank] = {};
    do {
      double want = kind == 0 ? 0 : kind == 1 ? lowest(c.dtype) : highest(c.dtype), magnitude = 0;
      every_element(c, o, [&](const int64_t* i) {
        const double v = read_as_double(x.view, offset_of(x.view, i));
        magnitude += std::fabs(v);
        if (kind == 0) want += v;
        else if (std::isnan(v) || std::isnan(want)) want = NAN;
        else want = kind == 1 ? std::max(want, v) : std::min(want, v);
      });
      if (kind == 0) {
        if (c.dtype == DType::i8) want = int8_t(int64_t(want));
        if (c.dtype == DType::u8) want = uint8_t(int64_t(want));
        if (c.dtype == DType::boolean) want = want != 0;
      }
      const double eps = kind || c.dtype > DType::bf16 ? 0 : c.dtype == DType::f64 ? 1e-14 : c.dtype == DType::f32 ? 1e-6 : c.dtype == DType::f16 ? 1e-3 : 8e-3;
      const double got = read_as_double(y.view, offset_of(y.view, o));
      if (!check(close_to(got, want, eps * magnitude, eps), name + " got " + std::to_string(got) + " want " + std::to_string(want))) return;
    } while (advance(y.view, o));
  }
}

static void gradient(const Case& c, Pool* one, Pool* two) {
  if (c.dtype > DType::bf16) return;
  Tensor x(c.dtype, c.in, &rnd, c.strided), g(c.dtype, c.out, &rnd, c.strided);
  if (c.nan && element_count(x.view)) write_double(x.view, 0, NAN);
  for (int64_t i = 0; rnd.below(2) && i < element_count(x.view) / 2; ++i) {  // ties
    if (!c.strided) write_double(x.view, i, double(rnd.below(3)));
  }
  for (int kind = 0; kind < 2; ++kind) {
    const char* name = kind == 0 ? "max_pool_grad" : "min_pool_grad";
    Tensor dx(c.dtype, c.in), dx2(c.dtype, c.in);
    const std::vector<Operand> in = {x.view, g.view};
    const Dims ints = c.ints();
    KernelCall call = make_call(one, in, &dx.view, ints), call2 = make_call(two, in, &dx2.view, ints);
    if (!check(find(name)(call) == Status::ok, name + (" status " + c.text()))) return;
    find(name)(call2);
    check(dx.memory == dx2.memory, std::string(name) + " differs between threads " + c.text());
    std::vector<double> want(size_t(element_count(dx.view))), magnitude(want.size());
    int64_t o[kMaxRank] = {};
    if (element_count(g.view)) do {
      double best = 0;
      int64_t at = -1;
      every_element(c, o, [&](const int64_t* i) {
        const double v = read_as_double(x.view, offset_of(x.view, i));
        if (at < 0 || (kind == 0 ? v > best : v < best) || (std::isnan(v) && !std::isnan(best))) best = v, at = offset_of(dx.view, i);
      });
      if (at < 0) continue;
      const double v = read_as_double(g.view, offset_of(g.view, o));
      want[size_t(at)] += v;
      magnitude[size_t(at)] += std::fabs(v);
    } while (advance(g.view, o));
    const double eps = c.dtype == DType::f64 ? 1e-14 : c.dtype == DType::f32 ? 1e-6 : c.dtype == DType::f16 ? 1e-3 : 8e-3;
    for (size_t i = 0; i < want.size(); ++i) {
      const double got = read_as_double(dx.view, int64_t(i));
      if (!check(close_to(got, want[i], eps * magnitude[i], eps), name + (" " + c.text()) + " got " + std::to_string(got) + " want " + std::to_string(want[i]))) return;
    }
  }
}

int main() {
  Pool one(1), two(3);
  for (int i = 0; i < 1500; ++i) {
    const Case c = random_case();
    forward(c, &one, &two);
    gradient(c, &one, &two);
  }
  return report("window_test");
}
