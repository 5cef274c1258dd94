"""C++ templates of the layers: sizes are parameters, so that the compiler unrolls what is small and keeps sums in
registers.
"""

from __future__ import annotations

from rlcompress.exporters.c.arithmetic import PRECISE, float_control
from rlcompress.exporters.cpp.dense import DENSE_TEMPLATES

OPEN = f"""\
#if defined(__clang__)
{float_control("push")}{PRECISE}\
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#if defined(__ARM_FEATURE_MVE) && __ARM_FEATURE_MVE & 2
#pragma GCC optimize("no-tree-vectorize,no-tree-slp-vectorize")
#endif
#if defined(__ARM_FEATURE_SVE)
#pragma GCC target("+nosve")
#endif
#endif
"""

CLOSE = f"""\
#if defined(__clang__)
{float_control("pop")}\
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
"""

TEMPLATES: dict[str, str] = {
    **DENSE_TEMPLATES,
    "sparse": """\
// Per output one sum over the kept weights in the order of their inputs.
template <size_t Outputs, class Weight, class Index>
RLCOMPRESS_INLINE void sparse(const Weight* w, const float* start, const Index* counts, const Index* indices,
                          const float* x, float* y) {
  for (size_t j = 0; j < Outputs; ++j) {
    float s = start == nullptr ? 0.0F : start[j];
    for (Index n = counts[j]; n > 0; --n) s = fused(static_cast<float>(*w++), x[*indices++], s);
    y[j] = s;
  }
}
""",
    "integer_dense": """\
// Bytes of the inputs, exact sums of integers.
template <size_t Inputs, size_t Outputs>
RLCOMPRESS_INLINE void integer_dense(const int8_t* w, const int32_t* bias, const float* scale, float step, float low,
                                 float high, const float* x, float* y) {
  uint8_t q[Inputs];
  const uint32_t zero = 0x4B400000U + static_cast<uint32_t>(static_cast<int32_t>(low));
  for (size_t k = 0; k < Inputs; ++k) {
    float v = x[k] * step;
    v = v > low ? v : low;
    v = v < high ? v : high;
    q[k] = static_cast<uint8_t>(bits_of(v + 12582912.0F) - zero);
  }
  for (size_t j = 0; j < Outputs; ++j, w += Inputs) {
    int32_t s = bias[j];
    for (size_t k = 0; k < Inputs; ++k) s += int32_t{w[k]} * q[k];
    y[j] = static_cast<float>(s) * scale[j];
  }
}
""",
    "scale_columns": """\
template <size_t N>
RLCOMPRESS_INLINE void scale_columns(const float* x, const float* factor, float* y) {
  for (size_t k = 0; k < N; ++k) y[k] = x[k] * factor[k];
}
""",
    "scale_rows": """\
// bias: added after the factor, or a null pointer.
template <size_t N>
RLCOMPRESS_INLINE void scale_rows(float* y, const float* factor, const float* bias) {
  for (size_t j = 0; j < N; ++j) y[j] = bias == nullptr ? y[j] * factor[j] : fused(y[j], factor[j], bias[j]);
}
""",
    "normalise": """\
template <size_t N>
RLCOMPRESS_INLINE void normalise(const float* x, const float* mean, const float* scale, float clip, float* y) {
  for (size_t k = 0; k < N; ++k) y[k] = bounded((x[k] - mean[k]) / scale[k], -clip, clip);
}
""",
    "select": """\
template <size_t N, class Index>
RLCOMPRESS_INLINE void select(const float* x, const Index* selection, float* y) {
  for (size_t k = 0; k < N; ++k) y[k] = x[selection[k]];
}
""",
    "argmax": """\
// Index of the first largest value; NaN never wins.
template <size_t N>
RLCOMPRESS_INLINE int32_t argmax(const float* y) {
  size_t best = 0;
  for (size_t i = 1; i < N; ++i) {
    if (y[i] > y[best] || (y[best] != y[best] && y[i] == y[i])) best = i;
  }
  return static_cast<int32_t>(best);
}
""",
    "head_raw": """\
template <size_t N>
RLCOMPRESS_INLINE void head_raw(const float* y, float* action) {
  bool all_numbers = true;
  for (size_t i = 0; i < N; ++i) all_numbers = all_numbers && y[i] == y[i];
  for (size_t i = 0; i < N; ++i) action[i] = y[i];
  if (!all_numbers) {  // a branch: nobody waits for its outcome
    for (size_t i = 0; i < N; ++i) action[i] = canonical(y[i]);
  }
}
""",
    "head_clip": """\
template <size_t N>
RLCOMPRESS_INLINE void head_clip(const float* y, const float* low, const float* high, const float* scale,
                             const float* offset, float* action) {
  for (size_t i = 0; i < N; ++i) action[i] = canonical(fused(bounded(y[i], low[i], high[i]), scale[i], offset[i]));
}
""",
    "head_squash": """\
template <size_t N>
RLCOMPRESS_INLINE void head_squash(const float* y, const float* low, const float* high, const float* scale,
                               const float* offset, float* action) {
  for (size_t i = 0; i < N; ++i) {
    action[i] = canonical(fused(tanh_of(bounded(y[i], low[i], high[i])), scale[i], offset[i]));
  }
}
""",
}
"""Name -> text."""

NEEDS: dict[str, tuple[str, ...]] = {
    "lanes": ("fused",),
    "dense_columns": ("fused",),
    "dense_rows": ("fused",),
    "sparse": ("fused",),
    "integer_dense": ("bits",),
    "scale_rows": ("fused",),
    "normalise": ("bounded",),
    "head_raw": ("canonical",),
    "head_clip": ("bounded", "canonical", "fused"),
    "head_squash": ("bounded", "canonical", "fused", "tanh"),
}
"""Name -> the pieces of arithmetic that the template uses."""

HEADER = """\
// NAME: a network in C++17, made by rlcompress (PARAMETERS parameters, MACS MACs). Include it where it is used; the
// compiler sees every size and weight. Re-entrant. The floating-point unit must be in its reset state.
#ifndef GUARD
#define GUARD

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#if defined(__AVX__) && defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

REFUSALS
namespace NAME {

inline constexpr std::size_t input_size = INPUTS;
inline constexpr std::size_t action_size = ACTIONS;
inline constexpr std::size_t macs = MACS;

OPEN
namespace detail {

using std::int8_t;
using std::int32_t;
using std::size_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

PARTS
}  // namespace detail

RUN
#undef RLCOMPRESS_INLINE
CLOSE
SELF_TEST
}  // namespace NAME

#endif
"""
