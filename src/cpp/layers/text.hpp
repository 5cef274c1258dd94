// Short messages into fixed buffers, without the C library's formatting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rlcompress {

// Appends to a zero-terminated buffer; what does not fit is cut.
class Text {
 public:
  template <std::size_t N>
  explicit Text(char (&buffer)[N]) noexcept : buffer_(buffer), capacity_(N) {
    buffer_[0] = '\0';
  }
  Text& add(const char* text) noexcept;
  Text& add(std::uint64_t number) noexcept;
  Text& add_signed(std::int64_t number) noexcept;
  Text& add_hex(std::uint32_t bits) noexcept;
  Text& add_float(float value) noexcept;  // "NaN", "infinity", "-0" or about 6 digits

 private:
  void put(char c) noexcept;
  char* buffer_;
  std::size_t capacity_;
  std::size_t length_ = 0;
};

}  // namespace rlcompress
