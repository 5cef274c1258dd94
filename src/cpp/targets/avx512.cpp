// x86 with AVX-512 F, BW, DQ and VL: 16 lanes, masked tails.
#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "targets/targets.hpp"

#if !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12's own intrinsics (bug 105593)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#else
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#endif

namespace rlcompress {
namespace {

struct Lanes {
  using Vec = __m512;
  static constexpr std::size_t width = 16;
  static constexpr unsigned accumulators = 24;
  static constexpr unsigned tile_rows = 8;
  static constexpr unsigned tile_vectors = 3;
  static constexpr bool stores_few = false;

  static RLCOMPRESS_ALWAYS_INLINE __mmask16 first(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
  static RLCOMPRESS_ALWAYS_INLINE __m512i bits(Vec x) { return _mm512_castps_si512(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec floats(__m512i x) { return _mm512_castsi512_ps(x); }
  static RLCOMPRESS_ALWAYS_INLINE __m512i sign() { return _mm512_set1_epi32(INT32_MIN); }

  static RLCOMPRESS_ALWAYS_INLINE Vec zero() { return _mm512_setzero_ps(); }
  static RLCOMPRESS_ALWAYS_INLINE Vec splat(float x) { return _mm512_set1_ps(x); }
  // Permutations, not loads: whole vectors that are read, splats too, come one a cycle.
  static RLCOMPRESS_ALWAYS_INLINE void splat_each(const float* p, Vec (&to)[4]) {
    __m128 four = _mm_loadu_ps(p);
    __asm__("" : "+v"(four));  // else a splat is read after all
    to[0] = _mm512_broadcastss_ps(four);
    RLCOMPRESS_UNROLL
    for (int i = 1; i < 4; ++i) to[i] = _mm512_permutexvar_ps(_mm512_set1_epi32(i), _mm512_castps128_ps512(four));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec quiet_nan() { return floats(_mm512_set1_epi32(0x7FC00000)); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_first(const float* p, std::size_t n) {
    return _mm512_maskz_loadu_ps(first(n), p);
  }
  static RLCOMPRESS_ALWAYS_INLINE void store(float* p, Vec x) { _mm512_storeu_ps(p, x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_first(float* p, Vec x, std::size_t n) {
    _mm512_mask_storeu_ps(p, first(n), x);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_i8(const std::int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_bytes(std::uint64_t low, std::uint64_t high) {
    const __m128i bytes = _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec from_nibbles(std::uint64_t nibbles) {
    const __m256i low = _mm256_set1_epi32(static_cast<int>(nibbles));
    const __m256i high = _mm256_set1_epi32(static_cast<int>(nibbles >> 32));
    const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    const __m512i left = _mm512_setr_epi32(28, 24, 20, 16, 12, 8, 4, 0, 28, 24, 20, 16, 12, 8, 4, 0);
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_sllv_epi32(both, left), 28));
  }

  static RLCOMPRESS_ALWAYS_INLINE float fma_one(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma_first(Vec a, Vec b, Vec c, std::size_t n) {
    return _mm512_mask3_fmadd_ps(a, b, c, first(n));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec sqrt(Vec x) { return _mm512_sqrt_ps(x); }
  static RLCOMPRESS_ALWAYS_INLINE float sum_halving(Vec x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  // sum_halving of each: sixteen trees that share their shuffles.
  static RLCOMPRESS_ALWAYS_INLINE Vec sums_halving(const Vec (&s)[16]) {
    Vec four[4];
    RLCOMPRESS_UNROLL
    for (int i = 0; i < 4; ++i) {  // the order of the inputs makes the order of the results
      const Vec a = add(_mm512_shuffle_f32x4(s[i], s[i + 4], 0x44), _mm512_shuffle_f32x4(s[i], s[i + 4], 0xEE));
      const Vec b =
          add(_mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0x44), _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0xEE));
      four[i] = add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    }
    const Vec c = add(_mm512_shuffle_ps(four[0], four[1], 0x44), _mm512_shuffle_ps(four[0], four[1], 0xEE));
    const Vec d = add(_mm512_shuffle_ps(four[2], four[3], 0x44), _mm512_shuffle_ps(four[2], four[3], 0xEE));
    return add(_mm512_shuffle_ps(c, d, 0x88), _mm512_shuffle_ps(c, d, 0xDD));
  }

  static RLCOMPRESS_ALWAYS_INLINE Vec greater_or(Vec a, Vec b) { return _mm512_max_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec less_or(Vec a, Vec b) { return _mm512_min_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_less(Vec a, Vec b, Vec yes, Vec no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec select_nan(Vec a, Vec yes, Vec no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), no, yes);
  }

  // A bit for each lane that is not zero.
  static constexpr bool finds_nonzero = true;
  static RLCOMPRESS_ALWAYS_INLINE unsigned nonzero(Vec x) { return _mm512_cmp_ps_mask(x, zero(), _CMP_NEQ_UQ); }
  static constexpr bool stores_places = true;
  // from + i for each bit i, in order; returns how many. A whole vector is stored.
  static RLCOMPRESS_ALWAYS_INLINE unsigned store_places(std::uint32_t* to, std::size_t from, unsigned bits) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(from)));
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), places));
    return static_cast<unsigned>(__builtin_popcount(bits));
  }

  static RLCOMPRESS_ALWAYS_INLINE Vec abs(Vec x) { return floats(_mm512_andnot_si512(sign(), bits(x))); }
  static RLCOMPRESS_ALWAYS_INLINE Vec negative_abs(Vec x) { return floats(_mm512_or_si512(sign(), bits(x))); }
  static RLCOMPRESS_ALWAYS_INLINE Vec copy_sign(Vec x, Vec from) {
    return floats(_mm512_or_si512(bits(abs(x)), _mm512_and_si512(sign(), bits(from))));
  }
  // 2^(n >> 1) and 2^(n - (n >> 1)) of n = bits(shifted) - bits(1.5 * 2^23).
  static RLCOMPRESS_ALWAYS_INLINE __m512i integer(Vec shifted) {
    return _mm512_sub_epi32(bits(shifted), _mm512_set1_epi32(0x4B400000));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec power(__m512i n) {
    return floats(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_half(Vec shifted) { return power(_mm512_srai_epi32(integer(shifted), 1)); }
  static RLCOMPRESS_ALWAYS_INLINE Vec exp2_rest(Vec shifted) {
    const __m512i n = integer(shifted);
    return power(_mm512_sub_epi32(n, _mm512_srai_epi32(n, 1)));
  }

  // Not __m512i: GCC 12 copies accumulators whose element type changes at every dot product.
  using Integers = std::int32_t __attribute__((vector_size(64)));
  static RLCOMPRESS_ALWAYS_INLINE __m512i raw(Integers n) { return reinterpret_cast<__m512i>(n); }
  static RLCOMPRESS_ALWAYS_INLINE Integers integers(__m512i n) { return reinterpret_cast<Integers>(n); }
  static constexpr unsigned integer_sums = 24;
  static constexpr bool spreads = true;
  static constexpr bool splits_bytes = false;
  static RLCOMPRESS_ALWAYS_INLINE Integers splat_integer(std::int32_t n) { return integers(_mm512_set1_epi32(n)); }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers(const void* p) { return integers(_mm512_loadu_si512(p)); }
  static RLCOMPRESS_ALWAYS_INLINE Integers load_integers_first(const void* p, std::size_t n) {
    return integers(_mm512_maskz_loadu_epi32(first(n), p));
  }
  // A bit for each of 16 groups of 4 bytes that is not zero. Read as store_bytes wrote them: one load would wait for
  // all of its stores.
  static RLCOMPRESS_ALWAYS_INLINE unsigned nonzero_groups(const std::uint8_t* p) {
    const auto* part = reinterpret_cast<const __m128i*>(p);
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128(part));
    x = _mm512_inserti32x4(x, _mm_loadu_si128(part + 1), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128(part + 2), 2);
    x = _mm512_inserti32x4(x, _mm_loadu_si128(part + 3), 3);
    return _mm512_test_epi32_mask(x, x);
  }
  static RLCOMPRESS_ALWAYS_INLINE void store_integers(void* p, Integers n) { _mm512_storeu_si512(p, raw(n)); }
  static RLCOMPRESS_ALWAYS_INLINE Integers add_integers(Integers a, Integers b) { return a + b; }
  static RLCOMPRESS_ALWAYS_INLINE Vec to_floats(Integers n) { return _mm512_cvtepi32_ps(raw(n)); }
  static RLCOMPRESS_ALWAYS_INLINE Integers to_integers(Vec x) { return integers(_mm512_cvtps_epi32(x)); }
  static RLCOMPRESS_ALWAYS_INLINE void store_bytes(std::uint8_t* p, Integers n) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(raw(n)));
  }
  // x = 2 * half + odd: pairs of products with 7 bits cannot saturate 16 bits (2 * 127 * 127 < 2^15).
  struct Bytes {
    __m512i half, odd;
  };
  static RLCOMPRESS_ALWAYS_INLINE Bytes splat_four(const std::uint8_t* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof(four));
    return {_mm512_set1_epi32((four >> 1) & 0x7F7F7F7F), _mm512_set1_epi32(four & 0x01010101)};
  }
  // 16 / M groups of 4 bytes, each in M lanes that follow each other; lanes that are left over are zero.
  template <unsigned M>
  static RLCOMPRESS_ALWAYS_INLINE __m512i spread(const std::uint8_t* p) {
    if (M == 1) return _mm512_loadu_si512(p);
    const __m512i group = _mm512_setr_epi32(0, 1 / M, 2 / M, 3 / M, 4 / M, 5 / M, 6 / M, 7 / M, 8 / M, 9 / M, 10 / M,
                                            11 / M, 12 / M, 13 / M, 14 / M, 15 / M);
    const __m512i bytes = M < 4 ? _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))
                                : _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm512_maskz_permutexvar_epi32(first(16 / M * M), group, bytes);
  }
  static RLCOMPRESS_ALWAYS_INLINE Bytes bytes(__m512i x) {
    return {_mm512_and_si512(_mm512_srli_epi32(x, 1), _mm512_set1_epi8(0x7F)),
            _mm512_and_si512(x, _mm512_set1_epi8(1))};
  }
  // The lane H further, in a circle.
  template <int H>
  static RLCOMPRESS_ALWAYS_INLINE Integers lanes_from(Integers n) {
    return integers(_mm512_alignr_epi32(raw(n), raw(n), H));
  }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_four(Integers sum, const Bytes& x, Integers w) {
    const __m512i halves = _mm512_madd_epi16(_mm512_maddubs_epi16(x.half, raw(w)), _mm512_set1_epi16(2));
    const __m512i odds = _mm512_madd_epi16(_mm512_maddubs_epi16(x.odd, raw(w)), _mm512_set1_epi16(1));
    return sum + integers(_mm512_add_epi32(halves, odds));
  }

  using Ints = __m512i;
  static RLCOMPRESS_ALWAYS_INLINE Ints splat_int(std::int32_t x) { return _mm512_set1_epi32(x); }
  static RLCOMPRESS_ALWAYS_INLINE Ints load_ints(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static RLCOMPRESS_ALWAYS_INLINE Ints magnitude(const float* p) { return _mm512_andnot_si512(sign(), bits(load(p))); }
  static RLCOMPRESS_ALWAYS_INLINE Ints larger(Ints a, Ints b) { return _mm512_max_epi32(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t above(Ints a, Ints b) { return _mm512_cmpgt_epi32_mask(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE std::int32_t largest(Ints x) { return _mm512_reduce_max_epi32(x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_flags(std::uint8_t* p, std::uint64_t flags) {
    _mm512_storeu_si512(p, _mm512_maskz_set1_epi8(flags, 1));
  }
};

// For eight columns or fewer: half a vector is loaded in half the time.
struct NarrowLanes {
  using Vec = __m256;
  static constexpr std::size_t width = 8;
  static constexpr bool stores_few = true;

  static RLCOMPRESS_ALWAYS_INLINE __mmask8 first(std::size_t n) { return static_cast<__mmask8>((1U << n) - 1U); }
  static RLCOMPRESS_ALWAYS_INLINE Vec zero() { return _mm256_setzero_ps(); }
  static RLCOMPRESS_ALWAYS_INLINE Vec splat(float x) { return _mm256_set1_ps(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
  static RLCOMPRESS_ALWAYS_INLINE Vec load_first(const float* p, std::size_t n) {
    return _mm256_maskz_loadu_ps(first(n), p);
  }
  static RLCOMPRESS_ALWAYS_INLINE void store(float* p, Vec x) { _mm256_storeu_ps(p, x); }
  static RLCOMPRESS_ALWAYS_INLINE void store_first(float* p, Vec x, std::size_t n) {
    _mm256_mask_storeu_ps(p, first(n), x);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
  static RLCOMPRESS_ALWAYS_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
  static RLCOMPRESS_ALWAYS_INLINE Vec greater_or(Vec a, Vec b) { return _mm256_max_ps(a, b); }

  // An action of n <= 4 values, its NaN canonical: no mask, so that who reads it need not wait.
  static RLCOMPRESS_ALWAYS_INLINE void store_few(float* p, Vec x, std::size_t n) {
    const __m128 four = _mm256_castps256_ps128(x);
    const __m128 y =
        _mm_mask_mov_ps(four, _mm_cmp_ps_mask(four, four, _CMP_UNORD_Q), _mm_castsi128_ps(_mm_set1_epi32(0x7FC00000)));
    if (n == 4) return _mm_storeu_ps(p, y);
    if (n == 1) return _mm_store_ss(p, y);
    _mm_storel_pi(reinterpret_cast<__m64*>(p), y);
    if (n == 3) _mm_store_ss(p + 2, _mm_movehl_ps(y, y));
  }

  // Two of them in a vector of Lanes.
  static RLCOMPRESS_ALWAYS_INLINE __m512 join(Vec low, Vec high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  }
  static RLCOMPRESS_ALWAYS_INLINE Vec low(__m512 x) { return _mm512_castps512_ps256(x); }
  static RLCOMPRESS_ALWAYS_INLINE Vec high(__m512 x) { return _mm512_extractf32x8_ps(x, 1); }
  // Pair i: join(splat(p[2 * i]), splat(p[2 * i + 1])).
  static RLCOMPRESS_ALWAYS_INLINE void splat_pairs(const float* p, __m512 (&to)[4]) {
    const __m512 eight = _mm512_castps256_ps512(_mm256_loadu_ps(p));
    RLCOMPRESS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const __m512i places = _mm512_inserti64x4(_mm512_set1_epi32(2 * i), _mm256_set1_epi32(2 * i + 1), 1);
      to[i] = _mm512_permutexvar_ps(places, eight);
    }
  }
};

#include "kernels/kernels.inl"

}  // namespace
}  // namespace rlcompress

// avx512vnni: the dot product of bytes in one instruction. Its kernels of integer layers alone differ.
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512vnni")
#endif

namespace rlcompress {
namespace {
namespace vnni {

struct Lanes : rlcompress::Lanes {
  using Bytes = __m512i;
  static RLCOMPRESS_ALWAYS_INLINE Bytes splat_four(const std::uint8_t* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof(four));
    return _mm512_set1_epi32(four);
  }
  static RLCOMPRESS_ALWAYS_INLINE Bytes bytes(__m512i x) { return x; }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot_four(Integers sum, Bytes x, Integers w) {
    return integers(_mm512_dpbusd_epi32(raw(sum), x, raw(w)));
  }
};

#include "kernels/integer_dense.inl"

}  // namespace vnni
}  // namespace
}  // namespace rlcompress

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace rlcompress {
namespace {

bool available() noexcept {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

bool vnni_available() noexcept { return available() && __builtin_cpu_supports("avx512vnni") != 0; }

}  // namespace

constexpr KernelTable table_avx512 = make_table("avx512", available);
constexpr KernelTable table_avx512vnni =
    make_table("avx512vnni", vnni_available, vnni::integer_dense_u8, vnni::quantise_f32);
constexpr CompressionTable compression_avx512 = make_compression_table();

}  // namespace rlcompress

#endif
