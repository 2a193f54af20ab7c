// Folds the dims of a dot_general into batched matrices with one stride a side: C[batch][m][n] = sum over k of A[batch][m][k] B[batch][k][n].
// Dims that do not fold become batch dims (of A's and B's free dims) or make the operand be copied densely first (of contracted dims).
#pragma once
#include "gemv.h"
#include "view.h"

namespace kaimo {
namespace {

// Dims that belong together, outermost first, with their stride in each of A, B and C.
struct DimGroup {
  int rank = 0;
  int64_t size = 1;
  int64_t dims[kMaxRank], a[kMaxRank], b[kMaxRank], c[kMaxRank];

  // Adds an inner dim, merged with the one before where all three strides allow that.
  void push(int64_t dim, int64_t as, int64_t bs, int64_t cs) {
    size *= dim;
    if (dim == 1) return;
    if (rank > 0) {
      const int p = rank - 1;
      if (a[p] == as * dim && b[p] == bs * dim && c[p] == cs * dim) {
        dims[p] *= dim;
        a[p] = as;
        b[p] = bs;
        c[p] = cs;
        return;
      }
    }
    dims[rank] = dim;
    a[rank] = as;
    b[rank] = bs;
    c[rank] = cs;
    ++rank;
  }
};

// A matrix product over untyped memory; strides in elements.
struct FoldedDot {
  int64_t m, n, k;
  const char* a;
  int64_t a_rs, a_cs;
  const char* b;
  int64_t b_rs, b_cs;
  int64_t ldc;
  bool swapped;  // A and B changed places because N == 1
  GemmBatch batch;
};

// The attribute layout of dot_general, checked against the operands.
struct DotDims {
  int n_batch, n_contract;
  const int64_t *lhs_batch, *rhs_batch, *lhs_contract, *rhs_contract;
  int64_t activation;
  bool has_addend;
  int n_lhs_free, n_rhs_free;
  int64_t lhs_free[kMaxRank], rhs_free[kMaxRank];
};

inline int free_dims(int rank, const int64_t* batch, int n_batch, const int64_t* contract, int n_contract, int64_t* out) {
  int count = 0;
  for (int d = 0; d < rank; ++d) {
    bool used = false;
    for (int i = 0; i < n_batch; ++i) used = used || batch[i] == d;
    for (int i = 0; i < n_contract; ++i) used = used || contract[i] == d;
    if (!used) out[count++] = d;
  }
  return count;
}

// False where the attributes do not fit the operands.
inline bool parse_dot(const KernelCall& call, DotDims* dims) {
  if (call.n_ints < 3 || call.n_in < 2 || call.n_out < 1) return false;
  const Operand &lhs = call.in[0], &rhs = call.in[1], &out = call.out[0];
  const int64_t nb = call.ints[0], nc = call.ints[1];
  if (nb < 0 || nc < 0 || nb > kMaxRank || nc > kMaxRank || call.n_ints < 3 + 2 * (nb + nc)) return false;
  dims->n_batch = int(nb);
  dims->n_contract = int(nc);
  dims->lhs_batch = call.ints + 2;
  dims->rhs_batch = dims->lhs_batch + nb;
  dims->lhs_contract = dims->rhs_batch + nb;
  dims->rhs_contract = dims->lhs_contract + nc;
  dims->activation = dims->rhs_contract[nc];
  dims->has_addend = call.n_ints > 3 + 2 * (nb + nc) && dims->rhs_contract[nc + 1] != 0;
  if (dims->activation < 0 || dims->activation >= kActCount) return false;
  for (int i = 0; i < nb + nc; ++i) {
    const int64_t l = i < nb ? dims->lhs_batch[i] : dims->lhs_contract[i - nb];
    const int64_t r = i < nb ? dims->rhs_batch[i] : dims->rhs_contract[i - nb];
    if (l < 0 || l >= lhs.rank || r < 0 || r >= rhs.rank || lhs.dims[l] != rhs.dims[r]) return false;
  }
  dims->n_lhs_free = free_dims(lhs.rank, dims->lhs_batch, dims->n_batch, dims->lhs_contract, dims->n_contract, dims->lhs_free);
  dims->n_rhs_free = free_dims(rhs.rank, dims->rhs_batch, dims->n_batch, dims->rhs_contract, dims->n_contract, dims->rhs_free);
  return out.rank == nb + dims->n_lhs_free + dims->n_rhs_free;
}

struct DotGroups {
  DimGroup batch, m, n, k;
};

inline DotGroups group_dims(const DotDims& d, const Operand& lhs, const Operand& rhs, const Operand& out) {
  DotGroups g;
  int64_t c[kMaxRank];
  dense_strides(out.dims, out.rank, c);
  for (int i = 0; i < d.n_batch; ++i) g.batch.push(out.dims[i], lhs.strides[d.lhs_batch[i]], rhs.strides[d.rhs_batch[i]], c[i]);
  for (int i = 0; i < d.n_lhs_free; ++i) {
    const int o = d.n_batch + i;
    g.m.push(out.dims[o], lhs.strides[d.lhs_free[i]], 0, c[o]);
  }
  for (int i = 0; i < d.n_rhs_free; ++i) {
    const int o = d.n_batch + d.n_lhs_free + i;
    g.n.push(out.dims[o], 0, rhs.strides[d.rhs_free[i]], c[o]);
  }
  for (int i = 0; i < d.n_contract; ++i) {
    const int64_t l = d.lhs_contract[i], r = d.rhs_contract[i];
    g.k.push(lhs.dims[l], lhs.strides[l], rhs.strides[r], 0);
  }
  return g;
}

// The operand as if it lay densely at `data` with its dims in the given order, outermost first. Dims keep their numbers.
inline Operand strides_in_order(const Operand& x, const int64_t* order, char* data) {
  Operand y = x;
  y.data = data;
  int64_t stride = 1;
  for (int i = x.rank - 1; i >= 0; --i) {
    y.strides[order[i]] = stride;
    stride *= x.dims[order[i]];
  }
  return y;
}

// Makes that copy.
inline Operand copy_in_order(Pool* pool, const Operand& x, const int64_t* order, char* dst) {
  Walk<1> rows{};
  for (int i = 0; i + 1 < x.rank; ++i) rows.push(x.dims[order[i]], {x.strides[order[i]]});
  const int64_t width = x.rank ? x.dims[order[x.rank - 1]] : 1, step = x.rank ? x.strides[order[x.rank - 1]] : 0;
  with_element_size(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_ranges(pool, rows.count(), double(width) * 0.5, [&](int64_t begin, int64_t end, int) {
      Walk<1> walk = rows;
      walk.start(begin);
      for (int64_t r = begin; r < end; ++r, walk.next()) {
        const T* in = reinterpret_cast<const T*>(x.data) + walk.offset[0];
        T* out = reinterpret_cast<T*>(dst) + r * width;
        for (int64_t i = 0; i < width; ++i) out[i] = in[i * step];
      }
    });
    return Status::ok;
  });
  return strides_in_order(x, order, dst);
}

constexpr int64_t kIdentityOrder[kMaxRank] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

// Whether contracted dims fold in this operand alone.
inline bool folds(const Operand& x, const int64_t* dims, int count) {
  DimGroup g;
  for (int i = 0; i < count; ++i) g.push(x.dims[dims[i]], x.strides[dims[i]], 0, 0);
  return g.rank <= 1;
}

// Chooses the matrix among the groups; all other dims become batch.
inline FoldedDot fold_groups(const DotGroups& g, const Operand& lhs, const Operand& rhs) {
  FoldedDot f{};
  f.a = lhs.data;
  f.b = rhs.data;
  f.k = g.k.size;
  f.a_cs = g.k.rank ? g.k.a[0] : 1;
  f.b_rs = g.k.rank ? g.k.b[0] : 1;
  int row = 0;  // the largest group of rows is M; the innermost of columns, dense in C, is N
  for (int d = 1; d < g.m.rank; ++d) row = g.m.dims[d] >= g.m.dims[row] ? d : row;
  const int col = g.n.rank - 1;
  f.m = g.m.rank ? g.m.dims[row] : 1;
  f.a_rs = g.m.rank ? g.m.a[row] : 0;
  f.ldc = g.m.rank ? g.m.c[row] : 0;
  f.n = g.n.rank ? g.n.dims[col] : 1;
  f.b_cs = g.n.rank ? g.n.b[col] : 1;
  for (int d = 0; d < g.batch.rank; ++d) f.batch.push(g.batch.dims[d], g.batch.a[d], g.batch.b[d], g.batch.c[d]);
  for (int d = 0; d < g.m.rank; ++d) {
    if (d != row) f.batch.push(g.m.dims[d], g.m.a[d], 0, g.m.c[d]);
  }
  for (int d = 0; d < col; ++d) f.batch.push(g.n.dims[d], 0, g.n.b[d], g.n.c[d]);
  return f;
}

// A matrix times a vector is computed as its transpose, so that the long side lies along the vector registers.
inline DotGroups swap_sides(const DotGroups& g) {
  DotGroups s = g;
  s.m = g.n;
  s.n = g.m;
  DimGroup* groups[] = {&s.batch, &s.m, &s.n, &s.k};
  for (DimGroup* d : groups) {
    for (int i = 0; i < d->rank; ++i) {
      const int64_t t = d->a[i];
      d->a[i] = d->b[i];
      d->b[i] = t;
    }
  }
  return s;
}

}  // namespace
}  // namespace kaimo
