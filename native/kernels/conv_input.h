// What a convolution prepares: its workspace, the padded and dilated input, dense weights.
#pragma once
#include "conv_shape.h"

namespace kaimo {
namespace {

// An address that is not null and means nothing, hidden from the compiler's bounds analysis.
inline char* nowhere() {
  char* p = reinterpret_cast<char*>(64);
  asm("" : "+r"(p));
  return p;
}

// Workspace in two passes over the same code: the first measures (ready() is false, addresses mean nothing), the second hands out memory.
class Workspace {
 public:
  template <typename T>
  T* take(int64_t elements) {
    char* at = base_ + used_;
    used_ += (sizeof(T) * size_t(elements) + 63) / 64 * 64;
    if (used_ > peak_) peak_ = used_;
    return reinterpret_cast<T*>(at);
  }
  bool ready() const { return ready_; }
  // What is taken after used() may be given back by rewind.
  size_t used() const { return used_; }
  void rewind(size_t used) { used_ = used; }
  bool start(Pool* pool) {
    base_ = static_cast<char*>(shared_scratch(pool, peak_ + 64));
    used_ = 0;
    return ready_ = base_ != nullptr;
  }

 private:
  char* base_ = nowhere();  // not null while measuring: code may ask whether there is a bias
  size_t used_ = 0, peak_ = 0;
  bool ready_ = false;
};

template <typename F>
inline Status with_workspace(Pool* pool, F f) {
  Workspace memory;
  f(memory);
  return memory.start(pool) ? f(memory) : Status::out_of_memory;
}

// End of the memory that x may be read from (in place, vectors must not reach beyond it).
inline const float* input_limit(const ConvShape& s) {
  int64_t last = 0;
  const int64_t dims[] = {s.groups, s.batch, s.ci, s.in[0], s.in[1], s.in[2]};
  const int64_t strides[] = {s.x_group, s.x_n, s.x_c, s.x_s[0], s.x_s[1], s.x_s[2]};
  for (int d = 0; d < 6; ++d) last += strides[d] > 0 ? (dims[d] - 1) * strides[d] : 0;
  return reinterpret_cast<const float*>(s.x) + last + 1;
}

// An input that needs no bounds checks: either the operand itself or a padded, dilated copy. Element (group, n, c, i) of the covered
// region lies at data + group * group_stride + n * n_stride + c * c_stride + sum of i[d] * s[d].
struct PaddedInput {
  const char* data;
  int64_t group_stride, n_stride, c_stride, s[kSpatial];
  int64_t elements;  // of a copy
  bool in_place;
};

inline bool needs_no_padding(const ConvShape& s) {
  for (int d = 0; d < kSpatial; ++d) {
    if (s.lo[d] != 0 || s.ldil[d] != 1 || s.covered(d) > s.in[d]) return false;
  }
  return true;
}

// Where a copy of images [0, batch) would lie: channels last, or channels before the spatial dims; the operand itself where its own
// innermost stride serves and nothing must be padded.
inline PaddedInput plan_padded(const ConvShape& s, bool channels_last, int64_t batch) {
  PaddedInput p{};
  if (needs_no_padding(s) && (channels_last ? s.x_c == 1 || s.ci == 1 : s.x_s[2] == 1)) {
    p = {s.x, s.x_group, s.x_n, s.x_c, {s.x_s[0], s.x_s[1], s.x_s[2]}, 0, true};
    if (channels_last && s.ci == 1) p.c_stride = 1;
    return p;
  }
  const int64_t d = s.covered(0), h = s.covered(1), w = s.covered(2);
  if (channels_last) {
    p.c_stride = 1;
    p.s[2] = s.ci;
    p.s[1] = w * p.s[2];
    p.s[0] = h * p.s[1];
    p.n_stride = d * p.s[0];
  } else {
    p.s[2] = 1;
    p.s[1] = w;
    p.s[0] = h * w;
    p.c_stride = d * p.s[0];
    p.n_stride = s.ci * p.c_stride;
  }
  p.group_stride = batch * p.n_stride;
  p.elements = s.groups * p.group_stride;
  return p;
}

// Covered positions j of dim d that hold an element: j = first + i * ldil for i in [begin, end).
struct Inside {
  int64_t first, begin, end;
  Inside(const ConvShape& s, int d) {
    const int64_t l = s.ldil[d], extent = s.covered(d), lo = s.lo[d];
    begin = lo >= 0 ? 0 : ceil_div(-lo, l);
    end = extent - lo <= 0 ? 0 : min64(s.in[d], (extent - 1 - lo) / l + 1);
    if (end < begin) end = begin;
    first = lo;
  }
};

// dst[i * ld + c] = src[c * channel + i * step], i < n, c < channels.
template <typename T>
inline void transpose_line(T* dst, int64_t ld, const T* src, int64_t channel, int64_t step, int64_t n, int64_t channels) {
  int64_t done = 0;  // channels by whole vectors
  if constexpr (sizeof(T) == 4) {
    constexpr int v = Vec<float>::n;
    if (step == 1 && n >= v && channels >= v) {
      for (; done + v <= channels; done += v) {
        for (int64_t i = 0;; i = min64(i + v, n - v)) {
          vf32 r[v];
          vload_transposed(r, reinterpret_cast<const float*>(src + done * channel + i), channel);
          KAIMO_UNROLL(16)
          for (int c = 0; c < v; ++c) vstore(reinterpret_cast<float*>(dst + (i + c) * ld + done), r[c]);
          if (i == n - v) break;
        }
      }
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    T* to = dst + i * ld;
    const T* from = src + i * step;
    if (channel == 1) {
      for (int64_t c = done; c < channels; ++c) to[c] = from[c];
    } else {
      for (int64_t c = done; c < channels; ++c) to[c] = from[c * channel];
    }
  }
}

// A dense copy of the weights: [group][co][ci][tap], or [group][tap][ci][co].
inline void copy_weights(Pool* pool, const ConvShape& s, bool features_last, const int64_t* taps, float* dst) {
  const int64_t count = s.tap_count(), size = s.co * s.ci * count;
  const int64_t lines = features_last ? count : s.co;
  parallel_ranges(pool, s.groups * lines, double(size / lines), [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) {
      const int64_t g = line / lines, l = line % lines;
      const float* src = reinterpret_cast<const float*>(s.w) + g * s.w_group;
      float* out = dst + g * size + l * (size / lines);
      if (features_last) {
        transpose_line(out, s.co, src + taps[l], s.w_o, s.w_i, s.ci, s.co);
        continue;
      }
      src += l * s.w_o;
      for (int64_t c = 0; c < s.ci; ++c, src += s.w_i) {
        for (int64_t t = 0; t < count; ++t) *out++ = src[taps[t]];
      }
    }
  });
}

// Offsets of the taps within the weights.
inline void fill_weight_taps(const ConvShape& s, int64_t* out) {
  for (int64_t a = 0; a < s.taps[0]; ++a) {
    for (int64_t b = 0; b < s.taps[1]; ++b) {
      for (int64_t d = 0; d < s.taps[2]; ++d) *out++ = a * s.w_s[0] + b * s.w_s[1] + d * s.w_s[2];
    }
  }
}

// One line of the copy: all channels and columns of row h of plane d of image n.
template <typename T>
void pad_line(const ConvShape& s, const PaddedInput& p, const Inside& wi, const T* src, T* dst, bool row_inside) {
  const int64_t width = s.covered(2), l = s.ldil[2];
  const auto zero_row = [&](T* row, int64_t n) {
    for (int64_t i = 0; i < n; ++i) row[i] = T(0);
  };
  if (p.c_stride == 1) {
    if (!row_inside || l > 1) {
      zero_row(dst, width * s.ci);
    } else {
      zero_row(dst, (wi.first + wi.begin) * s.ci);
      zero_row(dst + (wi.first + wi.end) * s.ci, (width - wi.first - wi.end) * s.ci);
    }
    if (!row_inside) return;
    if ((s.x_c == 1 || s.ci == 1) && l == 1 && s.x_s[2] == s.ci) {
      const size_t bytes = sizeof(T) * size_t((wi.end - wi.begin) * s.ci);
      __builtin_memcpy(dst + (wi.first + wi.begin) * s.ci, src + wi.begin * s.ci, bytes);
    } else if (s.x_c == 1) {
      for (int64_t i = wi.begin; i < wi.end; ++i) {
        __builtin_memcpy(dst + (wi.first + i * l) * s.ci, src + i * s.x_s[2], sizeof(T) * size_t(s.ci));
      }
    } else {
      transpose_line(dst + (wi.first + wi.begin * l) * s.ci, l * s.ci, src + wi.begin * s.x_s[2], s.x_c, s.x_s[2], wi.end - wi.begin, s.ci);
    }
    return;
  }
  for (int64_t c = 0; c < s.ci; ++c) {
    T* row = dst + c * p.c_stride;
    zero_row(row, width);
    if (!row_inside) continue;
    const T* in = src + c * s.x_c;
    for (int64_t i = wi.begin; i < wi.end; ++i) row[wi.first + i * l] = in[i * s.x_s[2]];
  }
}

// Fills a planned copy with images [n0, n0 + batch).
template <typename T>
void fill_padded(Pool* pool, const ConvShape& s, const PaddedInput& p, int64_t n0, int64_t batch, T* memory) {
  const Inside di(s, 0), hi(s, 1), wi(s, 2);
  const int64_t depth = s.covered(0), height = s.covered(1), lines = s.groups * batch * depth * height;
  parallel_ranges(pool, lines, 40 + double(s.covered(2) * s.ci) * 0.4, [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) {
      const int64_t h = line % height, d = line / height % depth, n = line / height / depth % batch, g = line / height / depth / batch;
      const int64_t ih = h - hi.first, id = d - di.first;
      const bool inside = wi.begin < wi.end && ih >= hi.begin * s.ldil[1] && ih < hi.end * s.ldil[1] && ih % s.ldil[1] == 0 && id >= di.begin * s.ldil[0] &&
                          id < di.end * s.ldil[0] && id % s.ldil[0] == 0;
      const T* src = reinterpret_cast<const T*>(s.x) + g * s.x_group + (n0 + n) * s.x_n;
      if (inside) src += id / s.ldil[0] * s.x_s[0] + ih / s.ldil[1] * s.x_s[1];
      T* dst = memory + g * p.group_stride + n * p.n_stride + d * p.s[0] + h * p.s[1];
      pad_line(s, p, wi, src, dst, inside);
    }
  });
}

}  // namespace
}  // namespace kaimo
