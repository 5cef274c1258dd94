// Plain C++: every processor. Without a fused multiply-add in the instruction set it is computed exactly in software.
#include <cstring>
#include <type_traits>
#include <utility>

#include "targets/targets.hpp"

#if defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__) || defined(__ARM_FEATURE_FMA) || \
    defined(__riscv_flen)
#define RLCOMPRESS_HARDWARE_FMA 1
#else
#define RLCOMPRESS_HARDWARE_FMA 0
#endif

// Vectors of floats on a Cortex-M (MVE) flush subnormal numbers to zero.
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#if defined(__clang__)
#error "compile this file without floating-point vectors: -mcpu=cortex-m55+nomve.fp"
#else
#pragma GCC optimize("no-tree-vectorize,no-tree-slp-vectorize")
#endif
#endif

namespace rlcompress {
namespace {

template <class To, class From>
RLCOMPRESS_ALWAYS_INLINE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

#if RLCOMPRESS_HARDWARE_FMA
RLCOMPRESS_ALWAYS_INLINE float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
// Exact: the product fits a double; the sum is rounded to odd, so that rounding it again to float is right.
RLCOMPRESS_ALWAYS_INLINE float fused(float a, float b, float c) {
  const double p = static_cast<double>(a) * static_cast<double>(b);
  const double d = static_cast<double>(c);
  double s = p + d;
  const double back = s - p;
  const double error = (p - (s - back)) + (d - back);
  std::uint64_t bits = bits_as<std::uint64_t>(s);
  const bool inexact = (error > 0.0) | (error < 0.0);  // false for NaN: infinite sums stay
  if (inexact & ((bits & 1U) == 0)) {
    bits += (error > 0.0) == (s > 0.0) ? 1U : ~std::uint64_t{0};
    s = bits_as<double>(bits);
  }
  return static_cast<float>(s);
}
#endif

struct Lanes {
  using Vec = float;
  static constexpr std::size_t width = 1;
  static constexpr bool finds_nonzero = false;
  static constexpr unsigned accumulators = 8;
  static constexpr unsigned tile_rows = 2;
  static constexpr unsigned tile_vectors = 1;
  static constexpr bool stores_few = false;

  static RLCOMPRESS_ALWAYS_INLINE Vec zero() { return 0.0F; }
  static RLCOMPRESS_ALWAYS_INLINE Vec splat(float x) { return x; }
  static RLCOMPRESS_ALWAYS_INLINE void splat_each(const float* p, Vec (&to)[4]) {
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < 4; ++i) to[i] = splat(p[i]);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec quiet_nan() { return bits_as<float>(std::uint32_t{0x7FC00000}); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load(const float* p) { return *p; }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_first(const float* p, std::size_t) { return *p; }
  static RLCOMPRESS_ALWAYS_INLINE void store(float* p, Vec x) { *p = x; }
  static RLCOMPRESS_ALWAYS_INLINE void store_first(float* p, Vec x, std::size_t) { *p = x; }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_i8(const std::int8_t* p) { return static_cast<float>(*p); }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_bytes(std::uint64_t low, std::uint64_t) {
    return static_cast<float>(static_cast<std::int8_t>(low & 255U));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_nibbles(std::uint64_t bits) {
    return static_cast<float>(static_cast<int>((bits & 15U) ^ 8U) - 8);
  }

  static RLCOMPRESS_ALWAYS_INLINE float fma_one(float a, float b, float c) { return fused(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma(Vec a, Vec b, Vec c) { return fused(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma_first(Vec a, Vec b, Vec c, std::size_t) { return fused(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec add(Vec a, Vec b) { return a + b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec sub(Vec a, Vec b) { return a - b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec mul(Vec a, Vec b) { return a * b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec div(Vec a, Vec b) { return a / b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec sqrt(Vec x) { return __builtin_sqrtf(x); }
  static RLCOMPRESS_ALWAYS_INLINE float sum_halving(Vec x) { return x; }
  static RLCOMPRESS_ALWAYS_INLINE Vec sums_halving(const Vec (&s)[1]) { return s[0]; }

  static RLCOMPRESS_ALWAYS_INLINE Vec greater_or(Vec a, Vec b) { return a > b ? a : b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec less_or(Vec a, Vec b) { return a < b ? a : b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_less(Vec a, Vec b, Vec yes, Vec no) { return a < b ? yes : no; }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_nan(Vec a, Vec yes, Vec no) { return a != a ? yes : no; }

  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t bits(Vec x) { return bits_as<std::uint32_t>(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec abs(Vec x) { return bits_as<float>(bits(x) & 0x7FFFFFFFU); }
  static RLCOMPRESS_ALWAYS_INLINE Vec negative_abs(Vec x) { return bits_as<float>(bits(x) | 0x80000000U); }
  static RLCOMPRESS_ALWAYS_INLINE Vec copy_sign(Vec x, Vec sign) {
    return bits_as<float>((bits(x) & 0x7FFFFFFFU) | (bits(sign) & 0x80000000U));
  }
  // 2^(n >> 1) and 2^(n - (n >> 1)) of n = bits(shifted) - bits(1.5 * 2^23).
  static RLCOMPRESS_ALWAYS_INLINE std::int32_t half(Vec shifted) {
    return static_cast<std::int32_t>(bits(shifted) - 0x4B400000U) >> 1;
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_half(Vec shifted) {
    return bits_as<float>((static_cast<std::uint32_t>(half(shifted)) + 127U) << 23);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_rest(Vec shifted) {
    const std::uint32_t rest = bits(shifted) - 0x4B400000U - static_cast<std::uint32_t>(half(shifted));
    return bits_as<float>((rest + 127U) << 23);
  }

  using Integers = std::int32_t;
  static constexpr unsigned integer_sums = 8;
  static constexpr bool spreads = false;
  static RLCOMPRESS_ALWAYS_INLINE Integers splat_integer(std::int32_t n) { return n; }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers(const void* p) {
    Integers n;
    std::memcpy(&n, p, sizeof(n));
    return n;
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers_first(const void* p, std::size_t) { return load_integers(p); }
  static RLCOMPRESS_ALWAYS_INLINE void store_integers(void* p, Integers n) { std::memcpy(p, &n, sizeof(n)); }
  static RLCOMPRESS_ALWAYS_INLINE Integers add_integers(Integers a, Integers b) { return a + b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec to_floats(Integers n) { return static_cast<float>(n); }
  static RLCOMPRESS_ALWAYS_INLINE Integers to_integers(Vec x) {  // |x| < 2^22: 1.5 * 2^23 rounds to an integer
    return static_cast<Integers>(bits(x + 12582912.0F) - 0x4B400000U);
  }
  static RLCOMPRESS_ALWAYS_INLINE void store_bytes(std::uint8_t* p, Integers n) { *p = static_cast<std::uint8_t>(n); }
  using Bytes = std::uint32_t;
  static RLCOMPRESS_ALWAYS_INLINE Bytes splat_four(const std::uint8_t* p) {
    Bytes four;
    std::memcpy(&four, p, sizeof(four));
    return four;
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_four(Integers sum, Bytes x, Integers w) {
    const auto weights = static_cast<std::uint32_t>(w);
    for (unsigned i = 0; i < 32; i += 8) {
      sum += static_cast<std::int8_t>(weights >> i & 255U) * static_cast<std::int32_t>(x >> i & 255U);
    }
    return sum;
  }

  using Ints = std::int32_t;
  static RLCOMPRESS_ALWAYS_INLINE Ints splat_int(std::int32_t x) { return x; }
  static RLCOMPRESS_ALWAYS_INLINE Ints load_ints(const std::int32_t* p) { return *p; }
  static RLCOMPRESS_ALWAYS_INLINE Ints magnitude(const float* p) { return bits_as<std::int32_t>(abs(*p)); }
  static RLCOMPRESS_ALWAYS_INLINE Ints larger(Ints a, Ints b) { return a > b ? a : b; }
  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t above(Ints a, Ints b) { return a > b ? 1U : 0U; }
  static RLCOMPRESS_ALWAYS_INLINE std::int32_t largest(Ints x) { return x; }
  static RLCOMPRESS_ALWAYS_INLINE void store_flags(std::uint8_t* p, std::uint64_t flags) {
    for (std::size_t i = 0; i < 8; ++i) {  // eight bits to eight bytes at once
      const std::uint64_t spread = (((flags >> (8 * i)) & 255U) * 0x0101010101010101U) & 0x8040201008040201U;
      const std::uint64_t ones = ((spread + 0x7F7F7F7F7F7F7F7FU) >> 7) & 0x0101010101010101U;
      std::memcpy(p + 8 * i, &ones, sizeof(ones));
    }
  }
};

using NarrowLanes = Lanes;

#include "kernels/kernels.inl"

bool available() noexcept { return true; }

}  // namespace

constexpr KernelTable table_scalar = make_table("scalar", available);
constexpr CompressionTable compression_scalar = make_compression_table();

}  // namespace rlcompress
