// x86 with AVX2 and FMA: 8 lanes, masked loads and stores for tails.
#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "targets/targets.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

namespace rlcompress {
namespace {

alignas(64) constexpr std::int32_t mask_source[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

struct Lanes {
  using Vec = __m256;
  static constexpr std::size_t width = 8;
  static constexpr bool stores_places = false;
  static constexpr unsigned accumulators = 12;
  static constexpr unsigned tile_rows = 4;
  static constexpr unsigned tile_vectors = 3;
  static constexpr bool stores_few = false;

  static RLCOMPRESS_ALWAYS_INLINE __m256i first(std::size_t n) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask_source + (8 - n)));
  }
  static RLCOMPRESS_ALWAYS_INLINE __m256i bits(Vec x) { return _mm256_castps_si256(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec floats(__m256i x) { return _mm256_castsi256_ps(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sign() { return floats(_mm256_set1_epi32(INT32_MIN)); }

  static RLCOMPRESS_ALWAYS_INLINE Vec zero() { return _mm256_setzero_ps(); }
  static RLCOMPRESS_ALWAYS_INLINE Vec splat(float x) { return _mm256_set1_ps(x); }
  static RLCOMPRESS_ALWAYS_INLINE void splat_each(const float* p, Vec (&to)[4]) {
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < 4; ++i) to[i] = splat(p[i]);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec quiet_nan() { return floats(_mm256_set1_epi32(0x7FC00000)); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_first(const float* p, std::size_t n) {
    return _mm256_maskload_ps(p, first(n));
  }
  static RLCOMPRESS_ALWAYS_INLINE void store(float* p, Vec x) { _mm256_storeu_ps(p, x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_first(float* p, Vec x, std::size_t n) {
    _mm256_maskstore_ps(p, first(n), x);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_i8(const std::int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_bytes(std::uint64_t low, std::uint64_t) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<long long>(low))));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_nibbles(std::uint64_t nibbles) {
    const __m256i all = _mm256_set1_epi32(static_cast<int>(nibbles));
    const __m256i left = _mm256_setr_epi32(28, 24, 20, 16, 12, 8, 4, 0);
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_sllv_epi32(all, left), 28));
  }

  static RLCOMPRESS_ALWAYS_INLINE float fma_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma_first(Vec a, Vec b, Vec c, std::size_t n) {
    return _mm256_blendv_ps(c, fma(a, b, c), floats(first(n)));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sqrt(Vec x) { return _mm256_sqrt_ps(x); }
  static RLCOMPRESS_ALWAYS_INLINE float sum_halving(Vec x) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  // sum_halving of each: eight trees that share their shuffles.
  static RLCOMPRESS_ALWAYS_INLINE Vec sums_halving(const Vec (&s)[8]) {
    Vec four[4];
    RLCOMPRESS_UNROLL
    for (int i = 0; i < 4; ++i) {
      four[i] = add(_mm256_permute2f128_ps(s[i], s[i + 4], 0x20), _mm256_permute2f128_ps(s[i], s[i + 4], 0x31));
    }
    const Vec a = add(_mm256_shuffle_ps(four[0], four[1], 0x44), _mm256_shuffle_ps(four[0], four[1], 0xEE));
    const Vec b = add(_mm256_shuffle_ps(four[2], four[3], 0x44), _mm256_shuffle_ps(four[2], four[3], 0xEE));
    return add(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD));
  }

  static RLCOMPRESS_ALWAYS_INLINE Vec greater_or(Vec a, Vec b) { return _mm256_max_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec less_or(Vec a, Vec b) { return _mm256_min_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_less(Vec a, Vec b, Vec yes, Vec no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_nan(Vec a, Vec yes, Vec no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
  }

  // A bit for each lane that is not zero.
  static constexpr bool finds_nonzero = true;
  static RLCOMPRESS_ALWAYS_INLINE unsigned nonzero(Vec x) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(x, zero(), _CMP_NEQ_UQ)));
  }

  static RLCOMPRESS_ALWAYS_INLINE Vec abs(Vec x) { return _mm256_andnot_ps(sign(), x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec negative_abs(Vec x) { return _mm256_or_ps(sign(), x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec copy_sign(Vec x, Vec from) {
    return _mm256_or_ps(abs(x), _mm256_and_ps(sign(), from));
  }
  // 2^(n >> 1) and 2^(n - (n >> 1)) of n = bits(shifted) - bits(1.5 * 2^23).
  static RLCOMPRESS_ALWAYS_INLINE __m256i integer(Vec shifted) {
    return _mm256_sub_epi32(bits(shifted), _mm256_set1_epi32(0x4B400000));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec power(__m256i n) {
    return floats(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_half(Vec shifted) { return power(_mm256_srai_epi32(integer(shifted), 1)); }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_rest(Vec shifted) {
    const __m256i n = integer(shifted);
    return power(_mm256_sub_epi32(n, _mm256_srai_epi32(n, 1)));
  }

  using Integers = __m256i;
  static constexpr unsigned integer_sums = 8;
  static constexpr bool spreads = false;
  static constexpr bool splits_bytes = true;
  static RLCOMPRESS_ALWAYS_INLINE Integers splat_integer(std::int32_t n) { return _mm256_set1_epi32(n); }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers_first(const void* p, std::size_t n) {
    return _mm256_maskload_epi32(static_cast<const int*>(p), first(n));
  }
  // A bit for each of 8 groups of 4 bytes that is not zero. Read as store_bytes wrote them: one load would wait for all
  // of its stores.
  static RLCOMPRESS_ALWAYS_INLINE unsigned nonzero_groups(const std::uint8_t* p) { return unequal_zero(stored(p)); }
  // A bit for each of 8 groups of 4 bytes of which one is 128 or more.
  static RLCOMPRESS_ALWAYS_INLINE unsigned top_groups(const std::uint8_t* p) {
    return unequal_zero(_mm256_and_si256(stored(p), _mm256_set1_epi8(-128)));
  }
  static RLCOMPRESS_ALWAYS_INLINE __m256i stored(const std::uint8_t* p) {
    long long part[4];
    std::memcpy(part, p, sizeof(part));
    return _mm256_setr_epi64x(part[0], part[1], part[2], part[3]);
  }
  static RLCOMPRESS_ALWAYS_INLINE unsigned unequal_zero(__m256i x) {
    const __m256i zeros = _mm256_cmpeq_epi32(x, _mm256_setzero_si256());
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(zeros))) ^ 0xFFU;
  }
  static RLCOMPRESS_ALWAYS_INLINE void store_integers(void* p, Integers n) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), n);
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers add_integers(Integers a, Integers b) { return _mm256_add_epi32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec to_floats(Integers n) { return _mm256_cvtepi32_ps(n); }
  static RLCOMPRESS_ALWAYS_INLINE Integers to_integers(Vec x) { return _mm256_cvtps_epi32(x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_bytes(std::uint8_t* p, Integers n) {
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(n), _mm256_extracti128_si256(n, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
  // x = 2 * half + odd: pairs of products with 7 bits cannot saturate 16 bits (2 * 127 * 127 < 2^15).
  struct Bytes {
    __m256i half, odd;
  };
  static RLCOMPRESS_ALWAYS_INLINE std::int32_t four_bytes(const std::uint8_t* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof(four));
    return four;
  }
  static RLCOMPRESS_ALWAYS_INLINE Bytes splat_four(const std::uint8_t* p) {
    const std::int32_t four = four_bytes(p);
    return {_mm256_set1_epi32((four >> 1) & 0x7F7F7F7F), _mm256_set1_epi32(four & 0x01010101)};
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_four(Integers sum, const Bytes& x, Integers w) {
    const __m256i halves = _mm256_madd_epi16(_mm256_maddubs_epi16(x.half, w), _mm256_set1_epi16(2));
    const __m256i odds = _mm256_madd_epi16(_mm256_maddubs_epi16(x.odd, w), _mm256_set1_epi16(1));
    return _mm256_add_epi32(sum, _mm256_add_epi32(halves, odds));
  }

  // x = low + 128 * top: pairs of products with 7 bits cannot saturate 16 bits.
  template <int Shift, std::int32_t Mask, short Factor>
  struct SomeBits {
    static RLCOMPRESS_ALWAYS_INLINE __m256i splat(const std::uint8_t* p) {
      return _mm256_set1_epi32((four_bytes(p) >> Shift) & Mask);
    }
    static RLCOMPRESS_ALWAYS_INLINE Integers dot(Integers sum, __m256i x, Integers w) {
      return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(Factor)));
    }
  };
  using LowBits = SomeBits<0, 0x7F7F7F7F, 1>;
  using TopBits = SomeBits<7, 0x01010101, 128>;

  using Ints = __m256i;
  static RLCOMPRESS_ALWAYS_INLINE Ints splat_int(std::int32_t x) { return _mm256_set1_epi32(x); }
  static RLCOMPRESS_ALWAYS_INLINE Ints load_ints(const std::int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static RLCOMPRESS_ALWAYS_INLINE Ints magnitude(const float* p) { return bits(abs(load(p))); }
  static RLCOMPRESS_ALWAYS_INLINE Ints larger(Ints a, Ints b) { return _mm256_max_epi32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t above(Ints a, Ints b) {
    return static_cast<std::uint32_t>(_mm256_movemask_ps(floats(_mm256_cmpgt_epi32(a, b))));
  }
  static RLCOMPRESS_ALWAYS_INLINE std::int32_t largest(Ints x) {
    alignas(32) std::int32_t lane[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lane), x);
    std::int32_t result = lane[0];
    for (const std::int32_t value : lane) result = value > result ? value : result;
    return result;
  }
  static RLCOMPRESS_ALWAYS_INLINE void store_flags(std::uint8_t* p, std::uint64_t flags) {
    const __m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201U));
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256i all = _mm256_set1_epi32(static_cast<std::int32_t>(flags >> (32 * half)));
      const __m256i found = _mm256_and_si256(_mm256_shuffle_epi8(all, byte), bit);
      const __m256i ones = _mm256_and_si256(_mm256_cmpeq_epi8(found, bit), _mm256_set1_epi8(1));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32 * half), ones);
    }
  }
};

using NarrowLanes = Lanes;

#include "kernels/kernels.inl"

}  // namespace
}  // namespace rlcompress

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rlcompress {
namespace {

bool available() noexcept { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }

}  // namespace

constexpr KernelTable table_avx2 = make_table("avx2", available);
constexpr CompressionTable compression_avx2 = make_compression_table();

}  // namespace rlcompress

#endif
