// The transforms of Winograd's minimal filtering F(4x4, 3x3), 36 products for 16 outputs instead of 144 (Lavin and Gray, "Fast Algorithms
// for Convolutional Neural Networks", 2016):  y = A^T [(G g G^T) * (B^T d B)] A  for a tile d of 6x6 inputs and a kernel g of 3x3.
// By the Toom-Cook construction with the points 0, +-a, +-b, infinity; a = sqrt(1/2), b = sqrt(2) keep the errors of f32 near those of the
// direct sum, where the usual 1 and 2 lose a digit (choice of points: Barabasz et al., "Error Analysis and Improving the Accuracy of
// Winograd Convolution", 2020). The adjoints of G and A^T give the gradient by the kernel.
#pragma once
#include "simd.h"

namespace kaimo {
namespace {

constexpr int kWinogradIn = 6, kWinogradOut = 4, kWinogradTaps = 3, kWinogradParts = kWinogradIn * kWinogradIn;
constexpr float kPointA = 0.70710678118654752f, kPointB = 1.41421356237309505f;
constexpr float kCubeA = 0.35355339059327376f, kCubeB = 2.82842712474619010f;
// 1 / product of the differences from the other points.
constexpr float kNormA = -2.0f / 3, kNormB = 1.0f / 6;

// Each transform of one line: from `in` values to `out` values.
struct InputLine {  // B^T
  static constexpr int in = kWinogradIn, out = kWinogradIn;
  KAIMO_INLINE void run(const vf32* d, vf32* u) {
    const vf32 even_a = d[4] - 2.0f * d[2], odd_a = vfma(vsplat(-kPointB), d[1], kPointA * d[3]);
    const vf32 even_b = vfma(vsplat(-0.5f), d[2], d[4]), odd_b = vfma(vsplat(-kPointA), d[1], kPointB * d[3]);
    u[0] = vfma(vsplat(-2.5f), d[2], d[0] + d[4]);
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = vfma(vsplat(-2.5f), d[3], d[1] + d[5]);
  }
};

struct OutputLine {  // A^T
  static constexpr int in = kWinogradIn, out = kWinogradOut;
  KAIMO_INLINE void run(const vf32* m, vf32* y) {
    const vf32 even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + even_a + even_b;
    y[1] = vfma(vsplat(kPointA), odd_a, kPointB * odd_b);
    y[2] = vfma(vsplat(0.5f), even_a, even_b + even_b);
    y[3] = vfma(vsplat(kCubeA), odd_a, vfma(vsplat(kCubeB), odd_b, m[5]));
  }
};

struct KernelLine {  // G
  static constexpr int in = kWinogradTaps, out = kWinogradIn;
  KAIMO_INLINE void run(const vf32* g, vf32* u) {
    const vf32 even_a = kNormA * vfma(vsplat(0.5f), g[2], g[0]), odd_a = (kNormA * kPointA) * g[1];
    const vf32 even_b = kNormB * vfma(vsplat(2.0f), g[2], g[0]), odd_b = (kNormB * kPointB) * g[1];
    u[0] = g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
  }
};

struct OutputAdjoint {  // A
  static constexpr int in = kWinogradOut, out = kWinogradIn;
  KAIMO_INLINE void run(const vf32* g, vf32* m) {
    const vf32 even_a = vfma(vsplat(0.5f), g[2], g[0]), odd_a = vfma(vsplat(kCubeA), g[3], kPointA * g[1]);
    const vf32 even_b = vfma(vsplat(2.0f), g[2], g[0]), odd_b = vfma(vsplat(kCubeB), g[3], kPointB * g[1]);
    m[0] = g[0];
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = g[3];
  }
};

struct KernelAdjoint {  // G^T
  static constexpr int in = kWinogradIn, out = kWinogradTaps;
  KAIMO_INLINE void run(const vf32* u, vf32* g) {
    const vf32 even_a = kNormA * (u[1] + u[2]), odd_a = kNormA * (u[1] - u[2]), even_b = kNormB * (u[3] + u[4]), odd_b = kNormB * (u[3] - u[4]);
    g[0] = u[0] + even_a + even_b;
    g[1] = vfma(vsplat(kPointA), odd_a, kPointB * odd_b);
    g[2] = vfma(vsplat(0.5f), even_a, vfma(vsplat(2.0f), even_b, u[5]));
  }
};

// Transforms columns, then rows: store(i, j, value) from load(i, j).
template <class Line, class Load, class Store>
KAIMO_INLINE void winograd_transform(Load load, Store store) {
  vf32 middle[Line::out][Line::in];
  KAIMO_UNROLL(8)
  for (int j = 0; j < Line::in; ++j) {
    vf32 from[Line::in], to[Line::out];
    KAIMO_UNROLL(8)
    for (int i = 0; i < Line::in; ++i) from[i] = load(i, j);
    Line::run(from, to);
    KAIMO_UNROLL(8)
    for (int i = 0; i < Line::out; ++i) middle[i][j] = to[i];
  }
  KAIMO_UNROLL(8)
  for (int i = 0; i < Line::out; ++i) {
    vf32 to[Line::out];
    Line::run(middle[i], to);
    KAIMO_UNROLL(8)
    for (int j = 0; j < Line::out; ++j) store(i, j, to[j]);
  }
}

}  // namespace
}  // namespace kaimo
