#include "layers/text.hpp"

namespace rlcompress {

void Text::put(char c) noexcept {
  if (length_ + 1 >= capacity_) return;
  buffer_[length_++] = c;
  buffer_[length_] = '\0';
}

Text& Text::add(const char* text) noexcept {
  for (; *text != '\0'; ++text) put(*text);
  return *this;
}

Text& Text::add(std::uint64_t number) noexcept {
  char digits[20];
  std::size_t n = 0;
  do {
    digits[n++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (n > 0) put(digits[--n]);
  return *this;
}

Text& Text::add_signed(std::int64_t number) noexcept {
  if (number >= 0) return add(static_cast<std::uint64_t>(number));
  put('-');
  return add(~static_cast<std::uint64_t>(number) + 1);
}

Text& Text::add_hex(std::uint32_t bits) noexcept {
  add("0x");
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789ABCDEF"[(bits >> shift) & 15U]);
  return *this;
}

Text& Text::add_float(float value) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return add("NaN");
  if ((bits & 0x80000000U) != 0) put('-');
  if ((bits & 0x7FFFFFFFU) == 0x7F800000U) return add("infinity");
  double rest = static_cast<double>(value < 0.0F ? -value : value);
  if (rest == 0.0) return add("0");
  int exponent = 0;
  for (; rest >= 10.0; rest /= 10.0) ++exponent;
  for (; rest < 1.0; rest *= 10.0) --exponent;
  auto digits = static_cast<std::uint64_t>(rest * 1e5 + 0.5);
  if (digits >= 1000000) digits /= 10, ++exponent;
  int kept = 6;
  for (; kept > 1 && digits % 10 == 0; --kept) digits /= 10;
  char mantissa[8] = "";
  Text(mantissa).add(digits);
  put(mantissa[0]);
  if (kept > 1) put('.'), add(mantissa + 1);
  if (exponent != 0) put('e'), add_signed(exponent);
  return *this;
}

}  // namespace rlcompress
