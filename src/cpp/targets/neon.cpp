// AArch64: 4 lanes; fused multiply-add and division are part of the base instruction set.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "targets/targets.hpp"

#if defined(__linux__)
#include <sys/auxv.h>
#endif

namespace rlcompress {
namespace {

struct Lanes {
  using Vec = float32x4_t;
  static constexpr std::size_t width = 4;
  static constexpr bool finds_nonzero = false;
  static constexpr bool stores_places = false;
  static constexpr unsigned accumulators = 24;
  static constexpr unsigned tile_rows = 8;
  static constexpr unsigned tile_vectors = 2;
  static constexpr bool stores_few = false;

  static RLCOMPRESS_ALWAYS_INLINE uint32x4_t bits(Vec x) { return vreinterpretq_u32_f32(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec floats(uint32x4_t x) { return vreinterpretq_f32_u32(x); }
  static RLCOMPRESS_ALWAYS_INLINE uint32x4_t sign() { return vdupq_n_u32(0x80000000U); }
  static RLCOMPRESS_ALWAYS_INLINE uint32x4_t first(std::size_t n) {
    constexpr std::uint32_t lane[4] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(lane), vdupq_n_u32(static_cast<std::uint32_t>(n)));
  }

  static RLCOMPRESS_ALWAYS_INLINE Vec zero() { return vdupq_n_f32(0.0F); }
  static RLCOMPRESS_ALWAYS_INLINE Vec splat(float x) { return vdupq_n_f32(x); }
  static RLCOMPRESS_ALWAYS_INLINE void splat_each(const float* p, Vec (&to)[4]) {
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < 4; ++i) to[i] = splat(p[i]);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec quiet_nan() { return floats(vdupq_n_u32(0x7FC00000U)); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load(const float* p) { return vld1q_f32(p); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_first(const float* p, std::size_t n) {
    if (n == width) return load(p);
    Vec x = vdupq_n_f32(0.0F);
    if (n > 0) x = vld1q_lane_f32(p, x, 0);
    if (n > 1) x = vld1q_lane_f32(p + 1, x, 1);
    if (n > 2) x = vld1q_lane_f32(p + 2, x, 2);
    if (n > 3) x = vld1q_lane_f32(p + 3, x, 3);
    return x;
  }
  static RLCOMPRESS_ALWAYS_INLINE void store(float* p, Vec x) { vst1q_f32(p, x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_first(float* p, Vec x, std::size_t n) {
    if (n > 0) vst1q_lane_f32(p, x, 0);
    if (n > 1) vst1q_lane_f32(p + 1, x, 1);
    if (n > 2) vst1q_lane_f32(p + 2, x, 2);
    if (n > 3) vst1q_lane_f32(p + 3, x, 3);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_i8(const std::int8_t* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof(four));
    return from_bytes(four, 0);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_bytes(std::uint64_t low, std::uint64_t) {
    const int8x8_t bytes = vcreate_s8(low);
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_nibbles(std::uint64_t nibbles) {
    constexpr std::int32_t left[4] = {28, 24, 20, 16};
    const int32x4_t all = vdupq_n_s32(static_cast<std::int32_t>(nibbles & 0xFFFFU));
    return vcvtq_f32_s32(vshrq_n_s32(vshlq_s32(all, vld1q_s32(left)), 28));
  }

  static RLCOMPRESS_ALWAYS_INLINE float fma_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma_first(Vec a, Vec b, Vec c, std::size_t n) {
    return vbslq_f32(first(n), fma(a, b, c), c);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec add(Vec a, Vec b) { return vaddq_f32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sub(Vec a, Vec b) { return vsubq_f32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec mul(Vec a, Vec b) { return vmulq_f32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec div(Vec a, Vec b) { return vdivq_f32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sqrt(Vec x) { return vsqrtq_f32(x); }
  static RLCOMPRESS_ALWAYS_INLINE float sum_halving(Vec x) {
    const float32x2_t two = vadd_f32(vget_low_f32(x), vget_high_f32(x));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec sums_halving(const Vec (&s)[4]) {
    const Vec a = vaddq_f32(vcombine_f32(vget_low_f32(s[0]), vget_low_f32(s[1])),
                            vcombine_f32(vget_high_f32(s[0]), vget_high_f32(s[1])));
    const Vec b = vaddq_f32(vcombine_f32(vget_low_f32(s[2]), vget_low_f32(s[3])),
                            vcombine_f32(vget_high_f32(s[2]), vget_high_f32(s[3])));
    return vpaddq_f32(a, b);
  }

  static RLCOMPRESS_ALWAYS_INLINE Vec greater_or(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec less_or(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_less(Vec a, Vec b, Vec yes, Vec no) {
    return vbslq_f32(vcltq_f32(a, b), yes, no);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_nan(Vec a, Vec yes, Vec no) { return vbslq_f32(vceqq_f32(a, a), no, yes); }

  static RLCOMPRESS_ALWAYS_INLINE Vec abs(Vec x) { return vabsq_f32(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec negative_abs(Vec x) { return floats(vorrq_u32(sign(), bits(x))); }
  static RLCOMPRESS_ALWAYS_INLINE Vec copy_sign(Vec x, Vec from) { return vbslq_f32(sign(), from, x); }
  // 2^(n >> 1) and 2^(n - (n >> 1)) of n = bits(shifted) - bits(1.5 * 2^23).
  static RLCOMPRESS_ALWAYS_INLINE int32x4_t integer(Vec shifted) {
    return vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(0x4B400000));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec power(int32x4_t n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_half(Vec shifted) { return power(vshrq_n_s32(integer(shifted), 1)); }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_rest(Vec shifted) {
    const int32x4_t n = integer(shifted);
    return power(vsubq_s32(n, vshrq_n_s32(n, 1)));
  }

  using Integers = int32x4_t;
  static constexpr unsigned integer_sums = 16;
  static constexpr bool spreads = false;
  static constexpr bool splits_bytes = false;
  static RLCOMPRESS_ALWAYS_INLINE Integers splat_integer(std::int32_t n) { return vdupq_n_s32(n); }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers(const void* p) {
    return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers_first(const void* p, std::size_t n) {
    return vreinterpretq_s32_f32(load_first(static_cast<const float*>(p), n));
  }
  static RLCOMPRESS_ALWAYS_INLINE void store_integers(void* p, Integers n) {
    vst1q_u8(static_cast<std::uint8_t*>(p), vreinterpretq_u8_s32(n));
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers add_integers(Integers a, Integers b) { return vaddq_s32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec to_floats(Integers n) { return vcvtq_f32_s32(n); }
  static RLCOMPRESS_ALWAYS_INLINE Integers to_integers(Vec x) { return vcvtnq_s32_f32(x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_bytes(std::uint8_t* p, Integers n) {
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(n));
    const std::uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    std::memcpy(p, &four, sizeof(four));
  }
  using Bytes = uint8x16_t;
  static RLCOMPRESS_ALWAYS_INLINE Bytes splat_four(const std::uint8_t* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof(four));
    return vreinterpretq_u8_u32(vdupq_n_u32(four));
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_four(Integers sum, Bytes x, Integers weights) {
    const int8x16_t w = vreinterpretq_s8_s32(weights);
#if defined(__ARM_FEATURE_MATMUL_INT8)
    return vusdotq_s32(sum, x, w);
#else
    // One product fits 16 bits (255 * 127 < 2^15).
    const int16x8_t low = vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x))), vmovl_s8(vget_low_s8(w)));
    const int16x8_t high = vmulq_s16(vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(x))), vmovl_s8(vget_high_s8(w)));
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
  }

  using Ints = int32x4_t;
  static RLCOMPRESS_ALWAYS_INLINE Ints splat_int(std::int32_t x) { return vdupq_n_s32(x); }
  static RLCOMPRESS_ALWAYS_INLINE Ints load_ints(const std::int32_t* p) { return vld1q_s32(p); }
  static RLCOMPRESS_ALWAYS_INLINE Ints magnitude(const float* p) { return vreinterpretq_s32_f32(abs(load(p))); }
  static RLCOMPRESS_ALWAYS_INLINE Ints larger(Ints a, Ints b) { return vmaxq_s32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t above(Ints a, Ints b) {
    constexpr std::uint32_t bit[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcgtq_s32(a, b), vld1q_u32(bit)));
  }
  static RLCOMPRESS_ALWAYS_INLINE std::int32_t largest(Ints x) { return vmaxvq_s32(x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_flags(std::uint8_t* p, std::uint64_t flags) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201U));
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint64_t two = flags >> (16 * i);
      const uint8x16_t both = vcombine_u8(vdup_n_u8(static_cast<std::uint8_t>(two & 255U)),
                                          vdup_n_u8(static_cast<std::uint8_t>((two >> 8) & 255U)));
      vst1q_u8(p + 16 * i, vandq_u8(vtstq_u8(both, bit), vdupq_n_u8(1)));
    }
  }
};

using NarrowLanes = Lanes;

#include "kernels/kernels.inl"

}  // namespace
}  // namespace rlcompress

// neondot: the dot product of signed bytes in one instruction (Armv8.2 FEAT_DotProd). Its kernels of integer layers
// alone differ.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#if defined(__ARM_FEATURE_DOTPROD)
// The whole file has it.
#elif defined(__ARM_FEATURE_SVE) || defined(__ARM_FEATURE_FP16_SCALAR_ARITHMETIC) || defined(__ARM_FEATURE_COMPLEX)
#pragma GCC target("+dotprod")  // on top of all that: a function cannot take in one that is compiled for more
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#endif

namespace rlcompress {
namespace {
namespace dot {

struct Lanes : rlcompress::Lanes {
  using Bytes = int8x16_t;  // x - 128
  static RLCOMPRESS_ALWAYS_INLINE Bytes splat_four(const std::uint8_t* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof(four));
    return vreinterpretq_s8_u32(vdupq_n_u32(four ^ 0x80808080U));
  }
  // Assembly: headers of older compilers declare vdotq_s32 only where the whole file may use it.
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_signed(Integers sum, int8x16_t a, int8x16_t b) {
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_four(Integers sum, Bytes x, Integers weights) {
    const int8x16_t w = vreinterpretq_s8_s32(weights);
    return vsubq_s32(dot_signed(sum, x, w), dot_signed(vdupq_n_s32(0), vdupq_n_s8(-128), w));
  }
};

#include "kernels/integer_dense.inl"

}  // namespace dot
}  // namespace
}  // namespace rlcompress

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rlcompress {
namespace {

bool available() noexcept { return true; }

bool dot_available() noexcept {
#if defined(__linux__)
  constexpr unsigned long dot_product = 1UL << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & dot_product) != 0;
#elif defined(__APPLE__) || defined(__ARM_FEATURE_DOTPROD)
  return true;
#else
  return false;
#endif
}

}  // namespace

constexpr KernelTable table_neon = make_table("neon", available);
constexpr KernelTable table_neondot = make_table("neondot", dot_available, dot::integer_dense_u8, dot::quantise_f32);
constexpr CompressionTable compression_neon = make_compression_table();

}  // namespace rlcompress

#endif
