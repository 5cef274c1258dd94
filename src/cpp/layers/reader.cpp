#include "layers/reader.hpp"

namespace rlcompress {
namespace {

constexpr float infinity = __builtin_huge_valf();

const char* describe(Floats rule) noexcept {
  switch (rule) {
    case Floats::finite: return "a finite value";
    case Floats::bias: return "a finite value, not -0";
    case Floats::above_zero: return "a value > 0";
    case Floats::finite_above_zero: return "a finite value > 0";
    case Floats::not_nan: return "a value that is not NaN";
  }
  return "";
}

bool follows(float value, Floats rule) noexcept {
  const bool finite = value > -infinity && value < infinity;
  switch (rule) {
    case Floats::finite: return finite;
    case Floats::bias: {
      std::uint32_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      return finite && bits != 0x80000000U;
    }
    case Floats::above_zero: return value > 0.0F;
    case Floats::finite_above_zero: return finite && value > 0.0F;
    case Floats::not_nan: return value == value;
  }
  return false;
}

}  // namespace

bool Reader::refuse(Status status, const char* field, std::size_t at, const char* expected,
                    const char* found) noexcept {
  fault_.status = status;
  fault_.field = field;
  fault_.offset = at;
  Text(fault_.expected).add(expected);
  Text(fault_.found).add(found);
  return false;
}

bool Reader::refuse_number(Status status, const char* field, std::size_t at, const char* expected,
                           std::int64_t found) noexcept {
  refuse(status, field, at, expected, "");
  Text(fault_.found).add_signed(found);
  return false;
}

bool Reader::refuse_range(const char* field, std::size_t at, std::uint64_t low, std::uint64_t high,
                          std::uint64_t found) noexcept {
  refuse(Status::bad_value, field, at, "", "");
  Text expected(fault_.expected);
  expected.add(low);
  if (low != high) expected.add("..").add(high);
  Text(fault_.found).add(found);
  return false;
}

bool Reader::refuse_with(Status status) noexcept {
  fault_.status = status;
  return false;
}

bool Reader::refuse_float(const char* field, std::size_t at, const char* expected, float found) noexcept {
  refuse(Status::bad_value, field, at, expected, "");
  Text(fault_.found).add_float(found);
  return false;
}

const std::uint8_t* Reader::take(const char* field, std::uint64_t bytes) noexcept {
  const std::uint64_t left = image_.size() - offset_;
  if (bytes > left) {
    refuse(Status::truncated, field, offset_, "", "");
    Text(fault_.expected).add(bytes).add(bytes == 1 ? " byte" : " bytes");
    Text(fault_.found).add(left).add(" bytes left");
    return nullptr;
  }
  const std::uint8_t* p = position();
  offset_ += static_cast<std::size_t>(bytes);
  return p;
}

bool Reader::u32_within(const char* field, std::uint32_t low, std::uint64_t high, std::uint32_t& value) noexcept {
  const std::size_t at = offset_;
  if (!u32(field, value)) return false;
  return value >= low && value <= high ? true : refuse_range(field, at, low, high, value);
}

bool Reader::u8_below(const char* field, std::uint8_t count, std::uint8_t& value) noexcept {
  const std::size_t at = offset_;
  if (!u8(field, value)) return false;
  if (value < count) return true;
  refuse_range(field, at, 0, count - 1U, value);
  return refuse_with(Status::unknown_value);
}

bool Reader::align(std::size_t size) noexcept {
  while (offset_ % size != 0) {
    const std::size_t at = offset_;
    const std::uint8_t* p = take("padding", 1);
    if (p == nullptr) return false;
    if (*p != 0) return refuse_number(Status::bad_padding, "padding", at, "a zero byte", *p);
  }
  return true;
}

bool Reader::floats(const char* field, std::uint64_t count, Floats rule, const float*& values) noexcept {
  if (!align(4)) return false;
  const std::size_t at = offset_;
  const std::uint8_t* bytes = take(field, 4 * count);
  if (bytes == nullptr) return false;
  values = reinterpret_cast<const float*>(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    float value;
    std::memcpy(&value, bytes + 4 * i, sizeof(value));
    if (!follows(value, rule)) return refuse_float(field, at + 4 * i, describe(rule), value);
  }
  return true;
}

bool Reader::not_above(const char* field, const float* low, const float* high, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (low[i] <= high[i]) continue;
    const auto at = static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(low + i) - image_.data());
    refuse_float(field, at, "", low[i]);
    Text(fault_.expected).add("a value <= the upper bound ").add_float(high[i]);
    return false;
  }
  return true;
}

bool Reader::exponents(const char* field, std::uint64_t count, const std::uint8_t*& values) noexcept {
  const std::size_t at = offset_;
  values = take(field, count);
  if (values == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::int8_t>(values[i]);
    if (value < -120 || value > 120) return refuse_number(Status::bad_value, field, at + i, "-120..120", value);
  }
  return true;
}

bool Reader::int8_values(const char* field, std::uint64_t count, const std::uint8_t*& values) noexcept {
  const std::size_t at = offset_;
  values = take(field, count);
  if (values == nullptr) return false;
  bool all = true;
  for (std::uint64_t i = 0; i < count; ++i) all = all && values[i] != 0x80;
  if (all) return true;
  std::size_t index = 0;
  while (values[index] != 0x80) ++index;
  return refuse_number(Status::bad_value, field, at + index, "-127..127", -128);
}

bool Reader::int4_values(const char* field, std::uint64_t count, const std::uint8_t*& values) noexcept {
  const std::size_t at = offset_;
  const auto bytes = static_cast<std::size_t>(count / 2 + count % 2);
  values = take(field, count / 2 + count % 2);
  if (values == nullptr) return false;
  for (std::size_t i = 0; i < bytes; ++i) {
    const unsigned low = values[i] & 15U;
    const unsigned high = values[i] >> 4U;
    if (low == 8 || high == 8) return refuse_number(Status::bad_value, field, at + i, "nibbles -7..7", -8);
  }
  if (count % 2 != 0 && (values[bytes - 1] >> 4U) != 0) {
    return refuse_number(Status::bad_padding, field, at + bytes - 1, "0 in the unused nibble", values[bytes - 1] >> 4U);
  }
  return true;
}

}  // namespace rlcompress
