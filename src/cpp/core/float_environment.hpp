// The arithmetic of docs/format.md needs rounding to nearest and subnormals. Other code in the process may have
// switched to something else (a library linked with -ffast-math does when it is loaded).
#pragma once

#include <cfloat>
#include <cstdint>

#if FLT_EVAL_METHOD != 0
#error "rlcompress needs float arithmetic in single precision: on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rlcompress {

// Sets the control word while it lives, when it has to.
class CanonicalFloats {
 public:
  CanonicalFloats() noexcept : saved_(read()), changed_((saved_ & checked) != wanted) {
    if (changed_) write((saved_ & ~checked) | wanted);
  }
  ~CanonicalFloats() noexcept {
    if (changed_) write(saved_);
  }
  CanonicalFloats(const CanonicalFloats&) = delete;
  CanonicalFloats& operator=(const CanonicalFloats&) = delete;

 private:
#if defined(__SSE__)
  using Word = unsigned;
  static constexpr Word checked = 0xFFC0;  // DAZ, exception masks, rounding, FTZ
  static constexpr Word wanted = 0x1F80;
  static Word read() noexcept { return _mm_getcsr(); }
  static void write(Word word) noexcept { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = std::uint64_t;
  static constexpr Word checked = 0x01C09F03;  // FZ, rounding, traps, AH, FIZ
  static constexpr Word wanted = 0;
  static Word read() noexcept {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#elif defined(__arm__) && defined(__ARM_FP)
  using Word = std::uint32_t;
  static constexpr Word checked = 0x01C09F00;  // FZ, rounding, traps
  static constexpr Word wanted = 0;
  static Word read() noexcept {
    Word word;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(word));
    return word;
  }
  static void write(Word word) noexcept { __asm__ volatile("vmsr fpscr, %0" : : "r"(word) : "memory"); }
#elif defined(__riscv_flen)
  using Word = std::uintptr_t;
  static constexpr Word checked = 7;  // rounding; RISC-V always keeps subnormals
  static constexpr Word wanted = 0;
  static Word read() noexcept {
    Word word;
    __asm__ volatile("frrm %0" : "=r"(word));
    return word;
  }
  static void write(Word word) noexcept { __asm__ volatile("fsrm %0" : : "r"(word) : "memory"); }
#else
  using Word = unsigned;
  static constexpr Word checked = 0;
  static constexpr Word wanted = 0;
  static Word read() noexcept { return 0; }
  static void write(Word) noexcept {}
#endif

  Word saved_;
  bool changed_;
};

}  // namespace rlcompress
