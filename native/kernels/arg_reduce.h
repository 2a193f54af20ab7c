// reduce_argmax and reduce_argmin: the first position (row-major over the reduced dims) of the extreme, as i32. NaN counts as the
// extreme, and the first NaN wins. Same ints as reduce: the reduced dims, ascending. in[0]: any strides; out[0]: dense i32.
#pragma once
#include "reduce.h"

namespace kaimo {
namespace {

struct ArgMax {
  using Op = MaxOp;
  template <class A>
  static bool better(A x, A best) { return (x > best) | ((x != x) & (best == best)); }
};
struct ArgMin {
  using Op = MinOp;
  template <class A>
  static bool better(A x, A best) { return (x < best) | ((x != x) & (best == best)); }
};

struct ArgOps {
  ReduceOps reduce;
  int64_t (*find)(const char* x, int64_t n, const char* extreme);                            // first place of the extreme, or n
  void (*merge)(char* best, int32_t* position, const char* x, int32_t k, int64_t n);         // side by side; k: the position of x
  bool (*better)(const char* x, const char* best);
};

template <class Arg, class A>
struct ErasedArg {
  static int64_t find(const char* raw, int64_t n, const char* extreme) {
    const A* x = reinterpret_cast<const A*>(raw);
    const A value = *reinterpret_cast<const A*>(extreme);
    for (int64_t at = 0; at < n; at += 64) {
      const int64_t end = n - at < 64 ? n : at + 64;
      int hits = 0;
      for (int64_t i = at; i < end; i++) hits |= (x[i] == value) | ((x[i] != x[i]) & (value != value));
      for (int64_t i = at; hits && i < end; i++)
        if (x[i] == value || (x[i] != x[i] && value != value)) return i;
    }
    return n;
  }
  static void merge(char* raw_best, int32_t* position, const char* raw, int32_t k, int64_t n) {
    A* best = reinterpret_cast<A*>(raw_best);
    const A* x = reinterpret_cast<const A*>(raw);
    for (int64_t i = 0; i < n; i++) {
      const bool better = Arg::better(x[i], best[i]);
      best[i] = better ? x[i] : best[i];
      position[i] = better ? k : position[i];
    }
  }
  static bool better(const char* x, const char* best) { return Arg::better(*reinterpret_cast<const A*>(x), *reinterpret_cast<const A*>(best)); }
  static ArgOps ops() { return {ErasedOp<typename Arg::Op, A>::ops(), find, merge, better}; }
};

template <class Arg>
inline ArgOps arg_ops(DType dtype) {
  switch (dtype) {
    case DType::f64: return ErasedArg<Arg, double>::ops();
    case DType::i64: return ErasedArg<Arg, int64_t>::ops();
    case DType::u32: return ErasedArg<Arg, uint32_t>::ops();
    case DType::f32:
    case DType::f16:
    case DType::bf16: return ErasedArg<Arg, float>::ops();
    default: return ErasedArg<Arg, int32_t>::ops();
  }
}

inline int64_t find_extreme(const ArgOps& ops, ReduceSource& source, int64_t from, int64_t to, const char* extreme) {
  alignas(64) char buffer[256 * 8];
  const int64_t read = source.contiguous ? to - from : 256;
  for (int64_t at = from; at < to; at += read) {
    const int64_t n = to - at < read ? to - at : read;
    const int64_t found = ops.find(source.read(at, n, buffer, ops.reduce.size), n, extreme);
    if (found < n) return at + found;
  }
  return from;
}

inline Status arg_reduce_rows(Pool* pool, const ArgOps& ops, const ReduceCast& cast, const ReducePlan& plan, const char* in, int32_t* out) {
  int64_t chunk = 256 * kReduceBlock;
  while (plan.extent / chunk > 64) chunk *= 2;
  if (plan.outputs >= 32) chunk = plan.extent;
  const int64_t chunks = (plan.extent + chunk - 1) / chunk, units = plan.outputs * chunks;
  struct Found {
    alignas(8) char value[8];
    int64_t position;
  };
  Found* partial = nullptr;
  if (chunks > 1) {
    partial = static_cast<Found*>(shared_scratch(pool, static_cast<size_t>(units) * sizeof(Found)));
    if (partial == nullptr) return Status::out_of_memory;
  }
  const double unit_ns = 20 + 0.3 * static_cast<double>(plan.extent < chunk ? plan.extent : chunk);
  parallel_ranges(pool, units, unit_ns, [&](int64_t begin, int64_t end, int) {
    Walk<1> kept = plan.kept;
    kept.start(begin / chunks);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t from = unit % chunks * chunk, to = from + chunk < plan.extent ? from + chunk : plan.extent;
      if (unit != begin && from == 0) kept.next();
      ReduceSource source(cast, in + kept.offset[0], plan.reduced);
      Found found;
      reduce_span(ops.reduce, source, from, to, found.value);
      found.position = find_extreme(ops, source, from, to, found.value);
      if (chunks == 1) out[unit] = static_cast<int32_t>(found.position);
      else partial[unit] = found;
    }
  });
  for (int64_t output = 0; chunks > 1 && output < plan.outputs; output++) {
    const Found* best = partial + output * chunks;
    for (const Found* next = best + 1; next < partial + (output + 1) * chunks; next++)
      if (ops.better(next->value, best->value)) best = next;
    out[output] = static_cast<int32_t>(best->position);
  }
  return Status::ok;
}

// Neighbouring outputs side by side, the reduced positions in order.
inline void arg_reduce_columns(Pool* pool, const ArgOps& ops, const ReduceCast& cast, const ReducePlan& plan, const char* in, int32_t* out) {
  Walk<1> kept = plan.kept;
  kept.rank--;
  const int64_t columns = kept.dims[kept.rank], step = kept.strides[0][kept.rank] / cast.stored;
  const int64_t tiles = (columns + kReduceColumns - 1) / kReduceColumns, width = columns < kReduceColumns ? columns : kReduceColumns;
  const double unit_ns = 30 + (6 + 0.4 * static_cast<double>(width)) * static_cast<double>(plan.extent);
  parallel_ranges(pool, kept.count() * tiles, unit_ns, [&](int64_t begin, int64_t end, int) {
    alignas(64) char best[kReduceColumns * 8], loaded[kReduceColumns * 8];
    Walk<1> outer = kept;
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t column = unit % tiles * kReduceColumns, wide = columns - column < kReduceColumns ? columns - column : kReduceColumns;
      outer.start(unit / tiles);
      const char* base = in + outer.offset[0] + column * step * cast.stored;
      int32_t* position = out + unit / tiles * columns + column;
      Walk<1> reduced = plan.reduced;
      reduced.start(0);
      cast.load(base, step, best, wide);
      for (int64_t i = 0; i < wide; i++) position[i] = 0;
      for (int64_t k = 1; k < plan.extent; k++) {
        reduced.next();
        const char* x = base + reduced.offset[0];
        if (!cast.direct || step != 1) {
          cast.load(x, step, loaded, wide);
          x = loaded;
        }
        ops.merge(best, position, x, static_cast<int32_t>(k), wide);
      }
    }
  });
}

template <class Arg>
inline Status arg_reduce(KernelCall& call) {
  const Operand& in = call.in[0];
  const ReducePlan plan = reduce_plan(in, call.ints, call.n_ints);
  if (plan.outputs == 0) return Status::ok;
  // The position of nothing is refused by shape inference; positions beyond i32 have no result.
  if (plan.extent == 0 || plan.extent > 0x7fffffff) return Status::unsupported;
  int32_t* out = reinterpret_cast<int32_t*>(call.out[0].data);
  const ArgOps ops = arg_ops<Arg>(in.dtype);
  const ReduceCast cast = reduce_cast(in.dtype, true);
  if (!plan.by_columns) return arg_reduce_rows(call.pool, ops, cast, plan, in.data, out);
  arg_reduce_columns(call.pool, ops, cast, plan, in.data, out);
  return Status::ok;
}

static Status reduce_argmax(KernelCall& call) { return arg_reduce<ArgMax>(call); }
static Status reduce_argmin(KernelCall& call) { return arg_reduce<ArgMin>(call); }

static const KernelEntry kArgReduceKernels[] = {
    {"reduce_argmax", reduce_argmax},
    {"reduce_argmin", reduce_argmin},
};

}  // namespace
}  // namespace kaimo
