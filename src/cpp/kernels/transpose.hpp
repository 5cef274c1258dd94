// Rows to columns: memory is moved, nothing is computed, so one form serves every instruction set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rlcompress {
namespace detail {

using Four = float __attribute__((vector_size(16)));
using FourIndices = std::int32_t __attribute__((vector_size(16)));

// The elements of a and b, one after the other, at these indices.
template <int A, int B, int C, int D>
inline Four pick(Four a, Four b) noexcept {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, A, B, C, D);
#else
  return __builtin_shuffle(a, b, FourIndices{A, B, C, D});
#endif
}

inline Four load_four(const float* p) noexcept {
  Four x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}

// 4 x 4 elements.
inline void transpose_four(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) noexcept {
  const Four a = load_four(from);
  const Four b = load_four(from + from_stride);
  const Four c = load_four(from + 2 * from_stride);
  const Four d = load_four(from + 3 * from_stride);
  const Four low[2] = {pick<0, 4, 1, 5>(a, b), pick<0, 4, 1, 5>(c, d)};
  const Four high[2] = {pick<2, 6, 3, 7>(a, b), pick<2, 6, 3, 7>(c, d)};
  const Four rows[4] = {pick<0, 1, 4, 5>(low[0], low[1]), pick<2, 3, 6, 7>(low[0], low[1]),
                        pick<0, 1, 4, 5>(high[0], high[1]), pick<2, 3, 6, 7>(high[0], high[1])};
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(to + i * to_stride, &rows[i], sizeof(Four));
}

}  // namespace detail

// (rows, columns) to (columns, stride), stride >= rows; what lies past the rows is zero.
inline void transposed(const float* from, std::size_t rows, std::size_t columns, float* to,
                       std::size_t stride) noexcept {
  constexpr std::size_t together = 16;  // rows: what is written of a column fills a cache line
  for (std::size_t first = 0; first < rows; first += together) {
    const std::size_t end = std::min(rows, first + together);
    std::size_t k = 0;
    for (; end - first == together && k + 4 <= columns; k += 4) {
      for (std::size_t b = first; b < end; b += 4) {
        detail::transpose_four(from + b * columns + k, columns, to + k * stride + b, stride);
      }
    }
    for (; k < columns; ++k) {
      for (std::size_t b = first; b < end; ++b) to[k * stride + b] = from[b * columns + k];
    }
  }
  for (std::size_t k = 0; k < columns; ++k) {
    std::fill(to + k * stride + rows, to + (k + 1) * stride, 0.0F);
  }
}

}  // namespace rlcompress
