// gather, scatter, dynamic slices against naive loops.
#pragma once
#include <algorithm>

#include "../kernels/scatter.h"
#include "check.h"

namespace kaimo {

using Dims = std::vector<int64_t>;

static bool holds(const Dims& list, int64_t value) { return std::find(list.begin(), list.end(), value) != list.end(); }

static Dims lists(const std::vector<Dims>& parts) {
  Dims ints;
  for (const Dims& part : parts) {
    ints.push_back(static_cast<int64_t>(part.size()));
    ints.insert(ints.end(), part.begin(), part.end());
  }
  return ints;
}

struct IndexCase {
  Dims operand, batch, window_dims, dropped, map, sizes;
};
// window_dims: offset_dims of gather, update_window_dims of scatter; dropped: collapsed or inserted dims.
static const std::vector<IndexCase> kIndexCases = {
    {{17, 5}, {7}, {1}, {0}, {0}, {1, 5}},
    {{301, 130}, {3, 41}, {2}, {0}, {0}, {1, 130}},
    {{4, 9}, {50}, {}, {0, 1}, {0, 1}, {1, 1}},
    {{4, 9}, {50}, {}, {0, 1}, {1, 0}, {1, 1}},
    {{6, 7, 5}, {2, 3}, {0, 3}, {1}, {1}, {6, 1, 5}},
    {{6, 7, 5}, {4}, {1, 2}, {1}, {0, 1, 2}, {3, 1, 2}},
    {{6, 7, 5}, {}, {0, 1, 2}, {}, {2}, {6, 7, 3}},
    {{3, 4}, {0}, {1}, {0}, {0}, {1, 4}},
    {{3, 0}, {5}, {1}, {0}, {0}, {1, 0}},
    {{5000}, {30000}, {}, {0}, {0}, {1}}};

static Tensor make_indices(const IndexCase& c, DType dtype) {
  Dims dims = c.batch;
  dims.push_back(static_cast<int64_t>(c.map.size()));
  Tensor indices = random_view(dtype, dims, false);
  Dims limits;
  for (int64_t d : c.map) limits.push_back(c.operand[d] - c.sizes[d] + 1);
  each_index(dims, [&](const Dims& index, int64_t) {
    int64_t offset = 0;
    for (size_t d = 0; d < dims.size(); d++) offset += index[d] * indices.view.strides[d];
    set(indices.view.data, dtype, offset, static_cast<double>(random_below(limits[index.back()])));
  });
  return indices;
}

static Dims windowed_dims(const IndexCase& c) {
  Dims dims(c.batch.size() + c.window_dims.size());
  size_t b = 0, w = 0;
  Dims sizes;
  for (size_t d = 0; d < c.operand.size(); d++)
    if (!holds(c.dropped, static_cast<int64_t>(d))) sizes.push_back(c.sizes[d]);
  for (size_t d = 0; d < dims.size(); d++) dims[d] = holds(c.window_dims, static_cast<int64_t>(d)) ? sizes[w++] : c.batch[b++];
  return dims;
}

// The operand index that an index of the gathered or update tensor stands for.
static Dims operand_index(const IndexCase& c, const Tensor& indices, const Dims& index) {
  Dims batch, window, at(c.operand.size(), 0);
  for (size_t d = 0; d < index.size(); d++) (holds(c.window_dims, static_cast<int64_t>(d)) ? window : batch).push_back(index[d]);
  for (size_t d = 0, w = 0; d < c.operand.size(); d++)
    if (!holds(c.dropped, static_cast<int64_t>(d))) at[d] = window[w++];
  batch.push_back(0);
  for (size_t k = 0; k < c.map.size(); k++) {
    batch.back() = static_cast<int64_t>(k);
    at[c.map[k]] += static_cast<int64_t>(indices.at(batch));
  }
  return at;
}

static void test_gather() {
  const Kernel gather = find(kIndexingKernels, "gather");
  for (const IndexCase& c : kIndexCases)
    for (DType dtype : {DType::f32, DType::f16, DType::u8, DType::f64})
      for (DType index_dtype : {DType::i32, DType::i64, DType::u32}) {
        Tensor in = random_view(dtype, c.operand), indices = make_indices(c, index_dtype), out = dense(dtype, windowed_dims(c));
        Dims ints = lists({c.window_dims, c.dropped, c.map});
        ints.insert(ints.end(), c.sizes.begin(), c.sizes.end());
        check(run(gather, {in.view, indices.view}, {out.view}, ints, {}, 2) == Status::ok, "gather status");
        bool good = true;
        each_index(windowed_dims(c), [&](const Dims& index, int64_t i) { good = good && in.at(operand_index(c, indices, index)) == out.flat(i); });
        check(good, "gather " + shape_text(c.operand));
      }
  for (double bad : {-1.0, 17.0, 1e9}) {
    Tensor in = random_dense(DType::f32, {17, 5}), out = dense(DType::f32, {3, 5});
    Tensor indices = filled(DType::i32, {3, 1}, [&](int64_t i) { return i == 1 ? bad : 3; });
    KernelError error{};
    check(run(gather, {in.view, indices.view}, {out.view}, {1, 1, 1, 0, 1, 0, 1, 5}, {}, 1, &error) == Status::index_out_of_bounds, "gather bounds");
    check(error.operand == 1 && error.index == static_cast<int64_t>(bad) && error.limit == 17, "gather error");
  }
}

static double scatter_naive(const std::string& kind, DType dtype, double a, double b) {
  if (kind == "scatter_set") return b;
  if (std::isnan(a) || std::isnan(b)) return NAN;
  if (kind == "scatter_max" || (dtype == DType::boolean && kind == "scatter_add")) return std::max(a, b);
  if (kind == "scatter_min" || (dtype == DType::boolean && kind == "scatter_multiply")) return std::min(a, b);
  char cell[8];
  const double value = kind == "scatter_add" ? a + b : a * b;
  if (is_float(dtype)) {
    set(cell, dtype, 0, dtype == DType::f64 ? value : static_cast<double>(static_cast<float>(value)));
    return get(cell, dtype, 0);
  }
  const uint64_t x = static_cast<uint64_t>(static_cast<int64_t>(a)), y = static_cast<uint64_t>(static_cast<int64_t>(b));
  const uint64_t wide = kind == "scatter_add" ? x + y : x * y;
  std::memcpy(cell, &wide, 8);
  return get(cell, dtype, 0);
}

static void test_scatter() {
  for (const char* kind : {"scatter_set", "scatter_add", "scatter_max", "scatter_min", "scatter_multiply"})
    for (const IndexCase& c : kIndexCases)
      for (DType dtype : kAllDtypes) {
        Tensor in = random_view(dtype, c.operand), indices = make_indices(c, random_below(2) ? DType::i32 : DType::i64);
        Tensor updates = random_view(dtype, windowed_dims(c));
        if (dtype == DType::i64)
          for (int64_t i = 0; i < static_cast<int64_t>(updates.memory.size()) / 8; i++) set(updates.base(), dtype, i, static_cast<double>(random_below(3) - 1));
        if (is_float(dtype) && updates.memory.size() > 8) set(updates.base(), dtype, 0, NAN);
        Tensor out = dense(dtype, c.operand);
        const bool in_place = random_below(2);
        if (in_place) each_index(c.operand, [&](const Dims& index, int64_t i) { out.put(i, in.at(index)); });
        std::vector<double> expected(static_cast<size_t>(out.count()));
        each_index(c.operand, [&](const Dims& index, int64_t i) { expected[static_cast<size_t>(i)] = in.at(index); });
        each_index(windowed_dims(c), [&](const Dims& index, int64_t) {
          const Dims at = operand_index(c, indices, index);
          int64_t i = 0;
          for (size_t d = 0; d < at.size(); d++) i = i * c.operand[d] + at[d];
          expected[static_cast<size_t>(i)] = scatter_naive(kind, dtype, expected[static_cast<size_t>(i)], updates.at(index));
        });
        check(run(find(kScatterKernels, kind), {in_place ? out.view : in.view, indices.view, updates.view}, {out.view}, lists({c.window_dims, c.dropped, c.map}), {},
                  static_cast<int>(1 + random_below(2))) == Status::ok, "scatter status");
        bool good = true;
        for (int64_t i = 0; i < out.count(); i++) good = good && same(out.flat(i), expected[static_cast<size_t>(i)]);
        check(good, std::string(kind) + shape_text(c.operand) + " dtype " + std::to_string(static_cast<int>(dtype)));
      }
  Tensor out = random_dense(DType::f32, {4}), updates = random_dense(DType::f32, {2});
  Tensor before = out, indices = filled(DType::i32, {2, 1}, [](int64_t i) { return i ? 4 : 0; });
  check(run(find(kScatterKernels, "scatter_add"), {out.view, indices.view, updates.view}, {out.view}, lists({{}, {0}, {0}})) == Status::index_out_of_bounds, "scatter bounds");
  check(before.memory == out.memory, "scatter writes nothing before the bounds are checked");
}

static void test_dynamic_slices() {
  for (int trial = 0; trial < 300; trial++) {
    const Dims whole = {1 + random_below(6), 1 + random_below(7), 1 + random_below(5)};
    Dims part, start;
    std::vector<Tensor> starts;
    for (int64_t n : whole) {
      part.push_back(random_below(n + 1));
      const int64_t s = random_below(12) - 4;
      start.push_back(std::min(std::max<int64_t>(s, 0), n - part.back()));
      starts.push_back(filled(trial % 2 ? DType::i32 : DType::i64, {}, [&](int64_t) { return static_cast<double>(s); }));
    }
    Tensor in = random_view(DType::f32, whole), out = dense(DType::f32, part);
    run(find(kIndexingKernels, "dynamic_slice"), {in.view, starts[0].view, starts[1].view, starts[2].view}, {out.view});
    each_index(part, [&](const Dims& i, int64_t k) { check(out.flat(k) == in.at({i[0] + start[0], i[1] + start[1], i[2] + start[2]}), "dynamic_slice"); });
    Tensor update = random_view(DType::f32, part), result = dense(DType::f32, whole);
    const bool in_place = trial % 3 == 0;
    if (in_place) each_index(whole, [&](const Dims& i, int64_t k) { result.put(k, in.at(i)); });
    run(find(kIndexingKernels, "dynamic_update_slice"), {in_place ? result.view : in.view, update.view, starts[0].view, starts[1].view, starts[2].view}, {result.view});
    each_index(whole, [&](const Dims& i, int64_t k) {
      Dims at;
      bool inside = true;
      for (int d = 0; d < 3; d++) at.push_back(i[d] - start[d]), inside = inside && at[d] >= 0 && at[d] < part[d];
      check(result.flat(k) == (inside ? update.at(at) : in.at(i)), "dynamic_update_slice");
    });
  }
}

}  // namespace kaimo
