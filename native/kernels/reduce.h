// Reductions over any set of dims: reduce_sum, _max, _min, _prod, _and, _or.
// in[0]: any strides; ints: the reduced dims, ascending; out[0]: dense, the kept dims in order (kept as 1 or dropped).
// f16, bf16 and small integers accumulate in 32 bits; integers wrap; max and min keep NaN; a reduction of nothing gives the identity.
// Booleans: sum is or, prod is and.
#pragma once
#include <type_traits>

#include "reduce_core.h"

namespace kaimo {
namespace {

// The calculation type: floats as elsewhere; integers unsigned where they wrap, signed where they are compared.
template <class T, bool kOrdered>
struct ReduceType {
  using wide = typename std::conditional<sizeof(T) == 8, uint64_t, uint32_t>::type;
  using ordered = typename std::conditional<std::is_same<T, uint32_t>::value, uint32_t, typename std::make_signed<wide>::type>::type;
  using integer = typename std::conditional<kOrdered, ordered, wide>::type;
  using floating = typename Compute<T>::type;
  using type = typename std::conditional<std::is_integral<T>::value, integer, floating>::type;
};

// Between stored elements and calculation values.
struct ReduceCast {
  int64_t stored;  // bytes of an element
  bool direct;     // elements are calculation values already
  void (*load)(const char* in, int64_t stride, char* out, int64_t n);
  void (*store)(const char* in, char* out, int64_t n);
};

template <class T, class A>
struct ErasedCast {
  static void load(const char* in, int64_t stride, char* out, int64_t n) { load_strided(reinterpret_cast<const T*>(in), stride, reinterpret_cast<A*>(out), n); }
  static void store(const char* in, char* out, int64_t n) { store_row(reinterpret_cast<const A*>(in), reinterpret_cast<T*>(out), n); }
  static ReduceCast cast() {
    constexpr bool integers = std::is_integral<T>::value && std::is_integral<A>::value && sizeof(T) == sizeof(A);
    return {sizeof(T), integers || std::is_same<T, A>::value, load, store};
  }
};

inline ReduceCast reduce_cast(DType dtype, bool ordered) {
  ReduceCast cast{};
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    cast = ordered ? ErasedCast<T, typename ReduceType<T, true>::type>::cast() : ErasedCast<T, typename ReduceType<T, false>::type>::cast();
    return Status::ok;
  });
  return cast;
}

// The dims of a reduction: kept in output order, reduced in logical order, both merged where the strides allow; strides in bytes.
struct ReducePlan {
  Walk<1> kept, reduced;
  int64_t outputs, extent;
  bool by_columns;  // the innermost kept dim lies inside the reduced ones in memory
};

inline ReducePlan reduce_plan(const Operand& in, const int64_t* dims, int n_dims) {
  ReducePlan plan;
  plan.kept.rank = plan.reduced.rank = 0;
  plan.outputs = plan.extent = 1;
  const int64_t size = element_size(in.dtype);
  for (int d = 0, k = 0; d < in.rank; d++) {
    const bool is_reduced = k < n_dims && dims[k] == d;
    k += is_reduced;
    (is_reduced ? plan.extent : plan.outputs) *= in.dims[d];
    (is_reduced ? plan.reduced : plan.kept).push(in.dims[d], {in.strides[d] * size});
  }
  const auto magnitude = [](int64_t stride) { return stride < 0 ? -stride : stride; };
  const int k = plan.kept.rank - 1, r = plan.reduced.rank - 1;
  // Short reductions go side by side too, whatever the strides: a row of its own would be mostly overhead.
  const bool inside = k >= 0 && r >= 0 && magnitude(plan.kept.strides[0][k]) < magnitude(plan.reduced.strides[0][r]);
  plan.by_columns = k >= 0 && r >= 0 && plan.kept.dims[k] >= 8 && (inside || plan.extent <= 16);
  return plan;
}

constexpr int64_t kReduceRead = 1024;
constexpr int kReduceColumns = 128;

// The reduced elements of one output, in order.
struct ReduceSource {
  const ReduceCast& cast;
  const char* data;
  Walk<1> outer;          // reduced dims but the last
  int64_t inner, stride;  // the last; stride in elements
  bool contiguous;

  ReduceSource(const ReduceCast& c, const char* base, const Walk<1>& reduced) : cast(c), data(base), outer(reduced), inner(1), stride(1) {
    if (reduced.rank > 0) {
      outer.rank--;
      inner = reduced.dims[outer.rank];
      stride = reduced.strides[0][outer.rank] / cast.stored;
    }
    contiguous = cast.direct && outer.rank == 0 && stride == 1;
  }

  // n values from position `from`, in place where they lie so, else in the buffer.
  const char* read(int64_t from, int64_t n, char* buffer, int64_t value_size) {
    if (contiguous) return data + from * cast.stored;
    outer.start(from / inner);
    int64_t at = from % inner;
    for (int64_t done = 0; done < n;) {
      const int64_t run = n - done < inner - at ? n - done : inner - at;
      cast.load(data + outer.offset[0] + at * stride * cast.stored, stride, buffer + done * value_size, run);
      done += run;
      at = 0;
      outer.next();
    }
    return buffer;
  }
};

// Elements [from, to) of one output, where `from` is a multiple of a power of two of blocks.
inline void reduce_span(const ReduceOps& ops, ReduceSource& source, int64_t from, int64_t to, char* result) {
  if (source.contiguous) return ops.row(source.read(from, to - from, nullptr, ops.size), to - from, result);
  alignas(64) char buffer[kReduceRead * 8];
  Cascade<8> cascade(ops, 1);
  for (int64_t at = from; at < to; at += kReduceRead) {
    const int64_t n = to - at < kReduceRead ? to - at : kReduceRead;
    const char* x = source.read(at, n, buffer, ops.size);
    for (int64_t b = 0; b < n; b += kReduceBlock) {
      ops.row(x + b * ops.size, n - b < kReduceBlock ? n - b : kReduceBlock, cascade.slot());
      cascade.pushed();
    }
  }
  std::memcpy(result, cascade.finish(), static_cast<size_t>(ops.size));
}

struct ReduceJob {
  const ReduceOps& ops;
  const ReduceCast& cast;
  const ReducePlan& plan;
  const char* in;
  char* out;
  int64_t chunk, chunks;  // the pieces of the reduced extent
  char* partial;          // [outputs][chunks] values where there are several
};

// One output at a time.
inline void reduce_rows(Pool* pool, const ReduceJob& job) {
  const ReducePlan& plan = job.plan;
  const double unit_ns = 15 + 0.15 * static_cast<double>(plan.extent < job.chunk ? plan.extent : job.chunk);
  parallel_ranges(pool, plan.outputs * job.chunks, unit_ns, [&](int64_t begin, int64_t end, int) {
    Walk<1> kept = plan.kept;
    kept.start(begin / job.chunks);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t from = unit % job.chunks * job.chunk, to = from + job.chunk < plan.extent ? from + job.chunk : plan.extent;
      if (unit != begin && from == 0) kept.next();
      ReduceSource source(job.cast, job.in + kept.offset[0], plan.reduced);
      alignas(8) char value[8];
      reduce_span(job.ops, source, from, to, value);
      if (job.chunks == 1) job.cast.store(value, job.out + unit * job.cast.stored, 1);
      else std::memcpy(job.partial + unit * job.ops.size, value, static_cast<size_t>(job.ops.size));
    }
  });
}

inline void fill_values(char* out, uint64_t bits, int64_t size, int64_t n) {
  const uint32_t low = static_cast<uint32_t>(bits);
  for (int64_t i = 0; i < n; i++) {
    if (size == 4) std::memcpy(out + i * 4, &low, 4);
    else std::memcpy(out + i * 8, &bits, 8);
  }
}

// One block (n <= 256 reduced positions) of `width` neighbouring outputs; step: their distance in elements.
inline void reduce_column_block(const ReduceJob& job, const char* in, Walk<1>& reduced, int64_t n, int64_t width, int64_t step, char* result) {
  constexpr int64_t kRow = kReduceColumns * 8;
  alignas(64) char lanes[kReduceLanes][kRow], loaded[32][kRow];
  const bool direct = job.cast.direct && step == 1;
  const char* rows[32];
  // Windows of 32 positions: four for each lane, so that a lane is read and written once for four additions.
  for (int64_t window = 0; window < n; window += 32) {
    const int64_t count = n - window < 32 ? n - window : 32;
    for (int64_t k = 0; k < count; k++, reduced.next()) {
      rows[k] = in + reduced.offset[0];
      if (direct) continue;
      job.cast.load(rows[k], step, loaded[k], width);
      rows[k] = loaded[k];
    }
    for (int64_t l = 0; l < kReduceLanes && l < count; l++) {
      const char* const mine[4] = {rows[l], l + 8 < count ? rows[l + 8] : nullptr, l + 16 < count ? rows[l + 16] : nullptr, l + 24 < count ? rows[l + 24] : nullptr};
      if (window > 0 && mine[3] != nullptr) {
        job.ops.merge4(lanes[l], mine, width);
        continue;
      }
      if (window == 0) std::memcpy(lanes[l], mine[0], static_cast<size_t>(width * job.ops.size));
      else job.ops.merge(lanes[l], mine[0], width);
      for (int j = 1; j < 4 && mine[j] != nullptr; j++) job.ops.merge(lanes[l], mine[j], width);
    }
  }
  for (int64_t l = n; l < kReduceLanes; l++) fill_values(lanes[l], job.ops.identity, job.ops.size, width);
  for (int half = 4; half > 0; half /= 2)
    for (int l = 0; l < half; l++) job.ops.merge(lanes[l], lanes[l + half], width);
  std::memcpy(result, lanes[0], static_cast<size_t>(width * job.ops.size));
}

// Tiles of neighbouring outputs.
inline void reduce_columns(Pool* pool, const ReduceJob& job) {
  const ReducePlan& plan = job.plan;
  Walk<1> kept = plan.kept;
  kept.rank--;
  const int64_t columns = kept.dims[kept.rank], step = kept.strides[0][kept.rank] / job.cast.stored;
  const int64_t tiles = (columns + kReduceColumns - 1) / kReduceColumns, size = job.ops.size;
  const int64_t width = columns < kReduceColumns ? columns : kReduceColumns, length = plan.extent < job.chunk ? plan.extent : job.chunk;
  const double unit_ns = 30 + (4 + 0.15 * static_cast<double>(width)) * static_cast<double>(length);
  parallel_ranges(pool, kept.count() * tiles * job.chunks, unit_ns, [&](int64_t begin, int64_t end, int) {
    Walk<1> outer = kept;
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t column = unit / job.chunks % tiles * kReduceColumns, outer_at = unit / job.chunks / tiles;
      const int64_t from = unit % job.chunks * job.chunk, to = from + job.chunk < plan.extent ? from + job.chunk : plan.extent;
      const int64_t wide = columns - column < kReduceColumns ? columns - column : kReduceColumns;
      outer.start(outer_at);
      Walk<1> reduced = plan.reduced;
      reduced.start(from);
      Cascade<kReduceColumns * 8> cascade(job.ops, wide);
      for (int64_t at = from; at < to; at += kReduceBlock) {
        const int64_t n = to - at < kReduceBlock ? to - at : kReduceBlock;
        reduce_column_block(job, job.in + outer.offset[0] + column * step * job.cast.stored, reduced, n, wide, step, cascade.slot());
        cascade.pushed();
      }
      const char* result = cascade.finish();
      const int64_t output = outer_at * columns + column;
      if (job.chunks == 1) job.cast.store(result, job.out + output * job.cast.stored, wide);
      else
        for (int64_t i = 0; i < wide; i++) std::memcpy(job.partial + ((output + i) * job.chunks + unit % job.chunks) * size, result + i * size, static_cast<size_t>(size));
    }
  });
}

// Few outputs of many elements are cut along the reduction too, at a power of two of blocks: the merging order stays the same.
inline int64_t reduce_chunk(const ReducePlan& plan) {
  const int64_t groups = plan.by_columns ? (plan.outputs + kReduceColumns - 1) / kReduceColumns : plan.outputs;
  if (groups >= 32) return plan.extent;
  int64_t chunk = (plan.by_columns ? 4 : 256) * kReduceBlock;
  while (plan.extent / chunk > 64) chunk *= 2;
  return chunk;
}

// Reduces to calculation values by ops and stores them. The extent must not be 0.
inline Status reduce_run(Pool* pool, const ReduceOps& ops, const ReduceCast& cast, const ReducePlan& plan, const char* in, char* out) {
  const int64_t chunk = reduce_chunk(plan), chunks = (plan.extent + chunk - 1) / chunk;
  char* partial = nullptr;
  if (chunks > 1) {
    partial = static_cast<char*>(shared_scratch(pool, static_cast<size_t>(plan.outputs * chunks * ops.size)));
    if (partial == nullptr) return Status::out_of_memory;
  }
  const ReduceJob job{ops, cast, plan, in, out, chunk, chunks, partial};
  if (plan.by_columns) reduce_columns(pool, job);
  else reduce_rows(pool, job);
  for (int64_t output = 0; chunks > 1 && output < plan.outputs; output++) {
    Cascade<8> cascade(ops, 1);
    for (int64_t c = 0; c < chunks; c++) {
      std::memcpy(cascade.slot(), partial + (output * chunks + c) * ops.size, static_cast<size_t>(ops.size));
      cascade.pushed();
    }
    cast.store(cascade.finish(), out + output * cast.stored, 1);
  }
  return Status::ok;
}

// Which calculation types an operation has.
enum class ReduceKind { arithmetic, ordered, bits };

template <class Op, ReduceKind kKind>
inline ReduceOps reduce_ops(DType dtype) {
  constexpr bool ordered = kKind == ReduceKind::ordered;
  if constexpr (kKind != ReduceKind::bits) {
    if (dtype == DType::f64) return ErasedOp<Op, double>::ops();
    if (dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16) return ErasedOp<Op, float>::ops();
  }
  if constexpr (ordered) {
    if (dtype == DType::i64) return ErasedOp<Op, int64_t>::ops();
    if (dtype != DType::u32) return ErasedOp<Op, int32_t>::ops();
  }
  if constexpr (!ordered) {
    if (dtype == DType::i64) return ErasedOp<Op, uint64_t>::ops();
  }
  return ErasedOp<Op, uint32_t>::ops();
}

// The identity in the element's own width: INT8_MIN for i8, not INT32_MIN.
template <class Op>
inline void fill_identity(const Operand& out) {
  with_dtype(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T value;
    if constexpr (std::is_integral<T>::value) value = Op::template identity<T>();
    else value = Store<T>::from(Op::template identity<typename Compute<T>::type>());
    if (out.dtype == DType::boolean) value = Store<T>::from(Op::template identity<uint8_t>() != 0);
    T* data = reinterpret_cast<T*>(out.data);
    const int64_t n = element_count(out);
    for (int64_t i = 0; i < n; i++) data[i] = value;
    return Status::ok;
  });
}

template <class Op, ReduceKind kKind>
inline Status reduce_kernel(KernelCall& call) {
  const Operand& in = call.in[0];
  const ReducePlan plan = reduce_plan(in, call.ints, call.n_ints);
  if (plan.outputs == 0) return Status::ok;
  if (plan.extent == 0) {
    fill_identity<Op>(call.out[0]);
    return Status::ok;
  }
  const ReduceCast cast = reduce_cast(in.dtype, kKind == ReduceKind::ordered);
  return reduce_run(call.pool, reduce_ops<Op, kKind>(in.dtype), cast, plan, in.data, call.out[0].data);
}

static bool is_float_dtype(DType dtype) { return static_cast<int32_t>(dtype) <= static_cast<int32_t>(DType::bf16); }

static Status reduce_and(KernelCall& call) {
  if (is_float_dtype(call.in[0].dtype)) return Status::unsupported;
  return reduce_kernel<AndOp, ReduceKind::bits>(call);
}
static Status reduce_or(KernelCall& call) {
  if (is_float_dtype(call.in[0].dtype)) return Status::unsupported;
  return reduce_kernel<OrOp, ReduceKind::bits>(call);
}
static Status reduce_sum(KernelCall& call) {
  return call.in[0].dtype == DType::boolean ? reduce_or(call) : reduce_kernel<SumOp, ReduceKind::arithmetic>(call);
}
static Status reduce_prod(KernelCall& call) {
  return call.in[0].dtype == DType::boolean ? reduce_and(call) : reduce_kernel<ProdOp, ReduceKind::arithmetic>(call);
}
static Status reduce_max(KernelCall& call) { return reduce_kernel<MaxOp, ReduceKind::ordered>(call); }
static Status reduce_min(KernelCall& call) { return reduce_kernel<MinOp, ReduceKind::ordered>(call); }

static const KernelEntry kReduceKernels[] = {
    {"reduce_sum", reduce_sum}, {"reduce_prod", reduce_prod}, {"reduce_max", reduce_max},
    {"reduce_min", reduce_min}, {"reduce_and", reduce_and},   {"reduce_or", reduce_or},
};

}  // namespace
}  // namespace kaimo
