// Stored weights as a stream of float lanes, whatever their type.
using Vec = Lanes::Vec;
constexpr std::size_t width = Lanes::width;

// The cache lines of `bytes` bytes from offset `at` on, which may lie beyond the array.
RLCOMPRESS_ALWAYS_INLINE void prefetch_bytes(const void* p, std::size_t at, std::size_t bytes) {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(p) + at;
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(reinterpret_cast<const void*>(first + i));
}

template <class Of>
struct FloatStreamOf {
  using L = Of;
  static constexpr unsigned accumulators = Lanes::accumulators;
  const float* data;
  RLCOMPRESS_ALWAYS_INLINE typename L::Vec load(std::size_t i) const { return L::load(data + i); }
  RLCOMPRESS_ALWAYS_INLINE typename L::Vec load_first(std::size_t i, std::size_t n) const {
    return L::load_first(data + i, n);
  }
  RLCOMPRESS_ALWAYS_INLINE float one(std::size_t i) const { return data[i]; }
  RLCOMPRESS_ALWAYS_INLINE void prefetch(std::size_t i, std::size_t n) const { prefetch_bytes(data, 4 * i, 4 * n); }
};
using FloatStream = FloatStreamOf<Lanes>;

// The first n < 8 bytes at p, the others zero; no byte beyond them is read, and no store is read back.
RLCOMPRESS_ALWAYS_INLINE std::uint64_t first_bytes(const void* p, std::size_t n) {
  const auto* bytes = static_cast<const std::uint8_t*>(p);
  if (n >= 4) {
    std::uint32_t low;
    std::uint32_t high;
    std::memcpy(&low, bytes, 4);
    std::memcpy(&high, bytes + n - 4, 4);
    return low | (static_cast<std::uint64_t>(high) << (8 * (n - 4)));  // equal where they overlap
  }
  if (n == 0) return 0;
  return bytes[0] | (static_cast<std::uint64_t>(bytes[n / 2]) << (8 * (n / 2))) |
         (static_cast<std::uint64_t>(bytes[n - 1]) << (8 * (n - 1)));
}

struct Int8Stream {
  using L = Lanes;
  static constexpr unsigned accumulators = 8;
  const std::int8_t* data;
  RLCOMPRESS_ALWAYS_INLINE Vec load(std::size_t i) const { return Lanes::load_i8(data + i); }
  RLCOMPRESS_ALWAYS_INLINE Vec load_first(std::size_t i, std::size_t n) const {
    if (n == width) return load(i);
    const std::int8_t* p = data + i;
    if (n < 8) return Lanes::from_bytes(first_bytes(p, n), 0);
    std::uint64_t low;
    std::memcpy(&low, p, 8);
    return Lanes::from_bytes(low, first_bytes(p + 8, n - 8));
  }
  RLCOMPRESS_ALWAYS_INLINE float one(std::size_t i) const { return static_cast<float>(data[i]); }
  RLCOMPRESS_ALWAYS_INLINE void prefetch(std::size_t i, std::size_t n) const { prefetch_bytes(data, i, n); }
};

struct Int4Stream {
  using L = Lanes;
  static constexpr unsigned accumulators = 8;
  const std::uint8_t* data;
  RLCOMPRESS_ALWAYS_INLINE Vec load(std::size_t i) const {
    if constexpr (width == 1) {
      return Lanes::splat(one(i));
    } else {
      const std::uint8_t* p = data + i / 2;
      std::uint64_t bits = 0;
      std::memcpy(&bits, p, width / 2);
      if ((i & 1) != 0) bits = (bits >> 4) | (static_cast<std::uint64_t>(p[width / 2]) << (4 * width - 4));
      return Lanes::from_nibbles(bits);
    }
  }
  RLCOMPRESS_ALWAYS_INLINE Vec load_first(std::size_t i, std::size_t n) const {
    if (n == width) return load(i);
    const std::size_t odd = i & 1;
    const std::size_t count = (odd + n + 1) / 2;  // <= 8 bytes, since n < width <= 16
    const std::uint8_t* p = data + i / 2;
    std::uint64_t bits = 0;
    if (count == 8) {
      std::memcpy(&bits, p, 8);
    } else {
      bits = first_bytes(p, count);
    }
    return Lanes::from_nibbles(bits >> (4 * odd));
  }
  RLCOMPRESS_ALWAYS_INLINE float one(std::size_t i) const {
    const unsigned nibble = (data[i / 2] >> (4 * (i & 1))) & 15U;
    return static_cast<float>(static_cast<int>(nibble ^ 8U) - 8);
  }
  RLCOMPRESS_ALWAYS_INLINE void prefetch(std::size_t i, std::size_t n) const { prefetch_bytes(data, i / 2, n / 2); }
};

RLCOMPRESS_ALWAYS_INLINE FloatStream stream_f32(const void* p) { return {static_cast<const float*>(p)}; }
RLCOMPRESS_ALWAYS_INLINE Int8Stream stream_i8(const void* p) { return {static_cast<const std::int8_t*>(p)}; }
RLCOMPRESS_ALWAYS_INLINE Int4Stream stream_i4(const void* p) { return {static_cast<const std::uint8_t*>(p)}; }
