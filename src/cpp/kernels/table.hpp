// What a target offers for running models: one struct of function pointers, and the argument structs of its kernels.
// A new kernel is one field here, one line in kernels/table.inl and the .inl that defines it.
#pragma once

#include <rlcompress/model.hpp>

#include <cstddef>
#include <cstdint>

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "rlcompress must not be compiled with -ffast-math or its parts: it promises the same bits everywhere"
#endif

// GCC 12 loses lanes when it turns floats into bytes in SVE vectors of more than 128 bits.
#if defined(__ARM_FEATURE_SVE) && !defined(__clang__)
#pragma GCC target("+nosve")
#endif

// 1: the work of a call depends on its network alone, and not on how many of its values are zero.
#if !defined(RLCOMPRESS_CONSTANT_WORK)
#define RLCOMPRESS_CONSTANT_WORK 0
#endif

#define RLCOMPRESS_ALWAYS_INLINE inline __attribute__((always_inline))
#define RLCOMPRESS_NO_INLINE __attribute__((noinline))
#define RLCOMPRESS_INLINE_LAMBDA __attribute__((always_inline))

// Before loops of constant length over arrays of vectors: keeps the arrays in registers.
#if defined(__clang__)
#define RLCOMPRESS_UNROLL _Pragma("unroll")
#else
#define RLCOMPRESS_UNROLL _Pragma("GCC unroll 24")
#endif

// Makes the compiler forget how an address came about, so that the loads from it need one register and an offset each.
#define RLCOMPRESS_ONE_REGISTER(pointer) __asm__("" : "+r"(pointer))

// A vector whose value the compiler takes for unknown here. Its class of registers has another name on each processor.
#if defined(__x86_64__)
#define RLCOMPRESS_ONE_VECTOR(vector) __asm__ volatile("" : "+x"(vector))
#else
#define RLCOMPRESS_ONE_VECTOR(vector) static_cast<void>(vector)
#endif

namespace rlcompress {

enum class WeightType : std::uint8_t { float32 = 0, int8 = 1, int4 = 2 };

enum class Activation : std::uint8_t { identity, relu, tanh, sigmoid, elu, silu, gelu, leaky_relu };
inline constexpr std::uint8_t activation_count = 8;

// Lanes of the widest target.
inline constexpr std::size_t most_lanes = 16;

// Weights of so many bytes do not stay in the first-level cache of a processor with the widest lanes (32 to 48 KiB), or
// not in its second-level cache beside other weights (1 to 2 MiB).
inline constexpr std::size_t beyond_first_cache = std::size_t{48} << 10;
inline constexpr std::size_t beyond_second_cache = std::size_t{768} << 10;

// P(K, M) of docs/format.md: the number of partial sums of a dense layer.
constexpr unsigned partial_sums(std::size_t inputs, std::size_t outputs) noexcept {
  if (outputs <= 32 && inputs >= 64) return 16;
  if (outputs <= 16) return 4;
  return outputs < 128 ? 2 : 1;
}

// A vector load of a few outputs that were stored one by one waits for all of them, and who reads an action that was
// stored under a mask waits for the cache.
inline constexpr std::size_t few_outputs = 4;

inline void run_few_raw(const float* y, std::size_t n, float* action) noexcept {
  bool numbers = true;
  for (std::size_t i = 0; i < n; ++i) numbers = numbers && y[i] == y[i];
  for (std::size_t i = 0; i < n; ++i) action[i] = numbers || y[i] == y[i] ? y[i] : __builtin_nanf("");
}

struct DenseCall {
  const void* weights;  // element 0 of the stored stream
  std::size_t first;    // index of the first weight in it (int4: nibbles before it)
  const float* x;       // inputs
  const float* start;   // outputs: s[0] of each row, or null for +0; may be y
  float* y;             // outputs, and room for whole vectors: up to a multiple of most_lanes
  std::size_t inputs;
  std::size_t outputs;
  std::size_t stride;         // weights from one input to the next, where they are input-major
  bool relu;                  // applied when the sum is stored
  bool action = false;        // y is an action of few_outputs values at most: no more are written, and NaN is canonical
  bool relu_follows = false;  // this one or a later one, so that the sign of a sum of zero is lost
};

// A dense layer over rows that lie x_stride and y_stride floats apart. y has room for whole vectors of outputs: each
// row is followed by floats that may be overwritten, up to a multiple of most_lanes.
struct DenseBatchCall {
  const void* weights;
  std::size_t first;
  const float* x;
  std::size_t x_stride;
  const float* start;  // of every row, or null for +0; may be y
  float* y;
  std::size_t y_stride;
  std::size_t inputs;
  std::size_t outputs;
  std::size_t stride;
  std::size_t rows;
  float* panel;  // scratch for a panel of weights
  std::size_t panel_floats;
  bool relu;
};

// Dense layers with float32 weights and no activation but relu.
struct DenseChainCall {
  const detail::Layer* layers;
  std::size_t count;
  const float* x;
  float* y[2];    // of the first, third, .. and of the second, fourth, .. layer, as in DenseCall
  float* action;  // where the last layer's outputs go as an action of few_outputs values at most, or null
};

struct SparseCall {
  const void* weights;
  std::size_t first;
  const void* counts;   // outputs
  const void* indices;  // sum of counts
  unsigned index_bytes;
  const float* x;
  const float* start;
  float* y;
  std::size_t outputs;
};

// How a layer of integers reads its inputs: rne(x * scale) + zero, kept within 0..255.
struct InputSteps {
  float scale;
  std::int32_t zero;  // 0..255
};

struct IntegerDenseCall {
  const std::int8_t* weights;  // w[(k / 4) * 4 * stride + 4 * j + k % 4], zeros from `inputs` to a multiple of 4
  const std::uint8_t* x;       // inputs, readable up to a multiple of 4
  const std::int32_t* bias;    // outputs
  const float* scale;          // outputs
  float* y;                    // outputs, or sums on the way to q; writeable up to a multiple of 16
  std::uint8_t* q;             // outputs on the grid `next`, or null; writeable up to a multiple of 16
  InputSteps next;
  std::size_t inputs;
  std::size_t outputs;
  std::size_t stride;       // outputs, or a little more where rows are kept on cache lines
  std::uint8_t input_zero;  // the byte of an input of zero; 0 behind a relu
  bool relu;
};

struct RowScaleCall {
  float* y;  // outputs, in place
  std::size_t outputs;
  const float* scale;           // outputs, or null
  const std::int8_t* exponent;  // outputs (or 1), when scale is null
  bool one_exponent;
  const float* bias;  // outputs, or null
};

struct NormaliseCall {
  const float* x;
  float* y;
  const float* mean;
  const float* scale;
  float clip;
  std::size_t inputs;
};

struct HeadCall {
  const float* y;
  float* action;  // may be y
  const float* low;
  const float* high;
  const float* scale;
  const float* offset;
  std::size_t outputs;
};

struct KernelTable {
  const char* name;
  bool (*available)() noexcept;
  void (*dense[3])(const DenseCall&) noexcept;  // by WeightType
  void (*dense_chain)(const DenseChainCall&) noexcept;
  void (*dense_batch[3])(const DenseBatchCall&) noexcept;  // by WeightType
  void (*sparse[3])(const SparseCall&) noexcept;           // by WeightType
  void (*integer_dense)(const IntegerDenseCall&) noexcept;
  // q may be x; it is written up to a multiple of 16.
  void (*quantise)(const float* x, const InputSteps&, std::uint8_t* q, std::size_t n) noexcept;
  void (*activate)(Activation, float alpha, float* y, std::size_t n) noexcept;
  void (*exp)(float* y, std::size_t n) noexcept;
  void (*scale_columns)(const float* x, const std::int8_t* exponents, float* y, std::size_t n) noexcept;
  void (*scale_rows)(const RowScaleCall&) noexcept;
  void (*normalise)(const NormaliseCall&) noexcept;
  void (*head_raw)(const HeadCall&) noexcept;
  void (*head_clip)(const HeadCall&) noexcept;
  void (*head_squash)(const HeadCall&) noexcept;
};

}  // namespace rlcompress
