// What one core can do: limits [read BYTES ...] [mask COUNT ...]
// Prints {"name", "value"} lines: peaks in operations per nanosecond, times in microseconds.
#include "timing.hpp"

#include <cstdlib>
#include <memory>
#if defined(__AVX512VNNI__) || defined(__AVX512F__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

template <class Vector>
void open(Vector& value) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(value));
#else
  asm volatile("" : "+w"(value));
#endif
}

template <std::size_t Bytes, class T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(Bytes)));
};

double best_us(const std::function<void()>& work, int repeats) {
  double best = 1e300;
  for (int i = 0; i < repeats; ++i) {
    best = std::min(best, bench::batch_us({"", [&](std::size_t) { work(); }}, 1));
  }
  return best;
}

void print(const char* name, double value) { std::printf("{\"name\": \"%s\", \"value\": %.6g}\n", name, value); }

// Sixteen chains hide the latency of a fused multiply-add on every core that we know.
template <std::size_t Bytes>
double fma_per_ns() {
  using Vector = typename VectorOf<Bytes, float>::Type;
  constexpr int rounds = 20000;
  const auto work = [] {
    Vector s0{}, s1{}, s2{}, s3{}, s4{}, s5{}, s6{}, s7{}, s8{}, s9{}, sa{}, sb{}, sc{}, sd{};
    Vector a = Vector{} + 0.5F, b = Vector{} + 0.25F;
    open(a), open(b);
    for (int i = 0; i < rounds; ++i) {
      s0 = s0 * a + b, s1 = s1 * a + b, s2 = s2 * a + b, s3 = s3 * a + b, s4 = s4 * a + b, s5 = s5 * a + b;
      s6 = s6 * a + b, s7 = s7 * a + b, s8 = s8 * a + b, s9 = s9 * a + b, sa = sa * a + b, sb = sb * a + b;
      sc = sc * a + b, sd = sd * a + b;
      open(s0), open(s1), open(s2), open(s3), open(s4), open(s5), open(s6), open(s7), open(s8), open(s9), open(sa);
      open(sb), open(sc), open(sd);
    }
  };
  return 14.0 * 2 * (Bytes / 4) * rounds / best_us(work, 400) / 1e3;
}

// The same where one factor is read from the nearest cache each time, as in products of sparse matrices.
template <std::size_t Bytes>
double read_fma_per_ns() {
  using Vector = typename VectorOf<Bytes, float>::Type;
  constexpr int rounds = 2000;
  constexpr std::size_t count = 16384 / Bytes;
  alignas(64) static Vector memory[count];
  Vector* values = memory;
  asm volatile("" : "+r"(values));  // else the compiler knows that they are zeros
  const auto work = [values] {
    Vector sums[8] = {}, a = Vector{} + 0.5F;
    open(a);
    for (int i = 0; i < rounds; ++i) {
      for (std::size_t k = 0; k < count; k += 8) {
#pragma GCC unroll 8
        for (std::size_t j = 0; j < 8; ++j) sums[j] += values[k + j] * a;
      }
#pragma GCC unroll 8
      for (auto& sum : sums) open(sum);
      bench::touch_memory();
    }
  };
  return 2.0 * (Bytes / 4) * count * rounds / best_us(work, 200) / 1e3;
}

#if defined(__AVX512VNNI__)
double int8_per_ns() {
  constexpr int rounds = 20000;
  const auto work = [] {
    __m512i sums[12] = {}, a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(1);
    open(a), open(b);
    for (int i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
      for (auto& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
#pragma GCC unroll 12
      for (auto& sum : sums) open(sum);
    }
  };
  return 12.0 * 2 * 64 * rounds / best_us(work, 400) / 1e3;
}
#endif

// Zeros in large pages, as NumPy has its arrays.
template <class T>
std::unique_ptr<T[], void (*)(T*)> pages_for(std::size_t count) {
  constexpr std::size_t page = 2U << 20U;
  const std::size_t bytes = (count * sizeof(T) + page - 1) / page * page;
  void* memory = std::aligned_alloc(page, bytes);
#if defined(__linux__)
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  std::memset(memory, 0, bytes);
  return {static_cast<T*>(memory), [](T* data) { std::free(data); }};
}

// Of vectors that fit one register.
#if defined(__AVX512F__)
constexpr std::size_t widest = 64;
#elif defined(__AVX2__)
constexpr std::size_t widest = 32;
#else
constexpr std::size_t widest = 16;
#endif

double read_us(std::size_t bytes) {
  using Vector = VectorOf<widest, std::int64_t>::Type;
  const std::size_t count = std::max<std::size_t>(1, bytes / (8 * sizeof(Vector))) * 8;
  const auto data = pages_for<Vector>(count);
  const std::size_t passes = std::max<std::size_t>(1, (1U << 20U) / (count * sizeof(Vector)));
  const auto work = [&] {
    for (std::size_t pass = 0; pass < passes; ++pass) {
      Vector sums[8] = {};
      for (std::size_t i = 0; i < count; i += 8) {
#pragma GCC unroll 8
        for (std::size_t j = 0; j < 8; ++j) sums[j] += data[i + j];
      }
#pragma GCC unroll 8
      for (auto& sum : sums) open(sum);
      bench::touch_memory();
    }
  };
  const double us = best_us(work, bytes > (8U << 20U) ? 20 : 400) / static_cast<double>(passes);
  return us * static_cast<double>(bytes) / static_cast<double>(count * sizeof(Vector));
}

// One pass that reads weights and writes one byte for each: what a ranking cannot undercut.
double mask_us(std::size_t count) {
  const auto weights = pages_for<std::uint32_t>(count);
  const auto mask = pages_for<std::uint8_t>(count);
  const std::size_t passes = std::max<std::size_t>(1, 100000 / count);
  const auto work = [&] {
    for (std::size_t pass = 0; pass < passes; ++pass) {
      const std::uint32_t* __restrict from = weights.get();
      std::uint8_t* __restrict to = mask.get();
      for (std::size_t i = 0; i < count; ++i) to[i] = (from[i] & 0x7FFFFFFFU) >= 0x3E800000U ? 1 : 0;
      bench::touch_memory();
    }
  };
  return best_us(work, count > 1000000 ? 20 : 200) / static_cast<double>(passes);
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 1) {
#if defined(__AVX512F__)
    print("fma_512", fma_per_ns<64>());
    print("read_fma_512", read_fma_per_ns<64>());
#endif
#if defined(__AVX2__)
    print("fma_256", fma_per_ns<32>());
    print("read_fma_256", read_fma_per_ns<32>());
#endif
    print("fma_128", fma_per_ns<16>());
    print("read_fma_128", read_fma_per_ns<16>());
#if defined(__AVX512VNNI__)
    print("int8_dot", int8_per_ns());
#endif
  }
  std::string what;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "read" || word == "mask") {
      what = word;
      continue;
    }
    const std::size_t size = std::strtoull(word.c_str(), nullptr, 10);
    print((what + " " + word).c_str(), what == "read" ? read_us(size) : mask_us(size));
  }
  return 0;
}
