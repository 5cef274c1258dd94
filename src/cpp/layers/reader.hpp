// Walks an image and refuses what the format does not allow. Every method that reads returns false (or null) once the
// image is refused; the fault then names field, offset, what was expected and what was found.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "layers/text.hpp"

namespace rlcompress {

enum class Floats : std::uint8_t { finite, bias, above_zero, finite_above_zero, not_nan };

class Reader {
 public:
  Reader(View<const std::uint8_t> image, Fault& fault) noexcept : image_(image), fault_(fault) {}

  std::size_t offset() const noexcept { return offset_; }
  const std::uint8_t* position() const noexcept { return image_.data() + offset_; }
  void enter_layer(std::int32_t layer) noexcept { fault_.layer = layer; }

  // The next `bytes` of the image, as one field.
  const std::uint8_t* take(const char* field, std::uint64_t bytes) noexcept;

  bool u8(const char* field, std::uint8_t& value) noexcept { return number(field, value); }
  bool u16(const char* field, std::uint16_t& value) noexcept { return number(field, value); }
  bool u32(const char* field, std::uint32_t& value) noexcept { return number(field, value); }
  bool u32_within(const char* field, std::uint32_t low, std::uint64_t high, std::uint32_t& value) noexcept;
  bool u8_below(const char* field, std::uint8_t count, std::uint8_t& value) noexcept;

  // `count` float32 at a multiple of 4 (zero bytes before them), each of which follows the rule.
  bool floats(const char* field, std::uint64_t count, Floats rule, const float*& values) noexcept;
  bool exponents(const char* field, std::uint64_t count, const std::uint8_t*& values) noexcept;
  bool not_above(const char* field, const float* low, const float* high, std::size_t count) noexcept;
  bool int8_values(const char* field, std::uint64_t count, const std::uint8_t*& values) noexcept;
  bool int4_values(const char* field, std::uint64_t count, const std::uint8_t*& values) noexcept;

  // Zero bytes up to a multiple of `size`.
  bool align(std::size_t size) noexcept;

  // Refusals; all return false. `at` is the offset of the field.
  bool refuse(Status status, const char* field, std::size_t at, const char* expected, const char* found) noexcept;
  bool refuse_number(Status status, const char* field, std::size_t at, const char* expected,
                     std::int64_t found) noexcept;
  bool refuse_range(const char* field, std::size_t at, std::uint64_t low, std::uint64_t high,
                    std::uint64_t found) noexcept;
  bool refuse_with(Status status) noexcept;  // another status for the refusal just made
  bool refuse_float(const char* field, std::size_t at, const char* expected, float found) noexcept;

 private:
  template <class T>
  bool number(const char* field, T& value) noexcept {
    const std::uint8_t* p = take(field, sizeof(T));
    if (p == nullptr) return false;
    T result = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) result = static_cast<T>(result | static_cast<T>(T{p[i]} << (8 * i)));
    value = result;
    return true;
  }

  View<const std::uint8_t> image_;
  Fault& fault_;
  std::size_t offset_ = 0;
};

}  // namespace rlcompress
