// Which inputs of a layer are not zero: about half behind a relu. NaN is not zero.

// Microcontrollers, which have one lane, take the same time for every observation.
constexpr bool leaves_out_zeros = width > 1 && RLCOMPRESS_CONSTANT_WORK == 0;

// Inputs whose places are known at a time.
constexpr std::size_t place_block = 256;

struct Places {
  alignas(64) std::uint32_t of[place_block + most_lanes];
  std::size_t count;
};

template <class L>
RLCOMPRESS_ALWAYS_INLINE std::size_t count_nonzero(const float* x, std::size_t n) {
  std::size_t count = 0;
  std::size_t k = 0;
  if constexpr (L::finds_nonzero) {
    for (; k + width <= n; k += width) count += static_cast<unsigned>(__builtin_popcount(L::nonzero(L::load(x + k))));
  }
  for (; k < n; ++k) count += x[k] != 0.0F ? 1 : 0;
  return count;
}

// Of x[0..n), n <= place_block.
template <class L>
RLCOMPRESS_ALWAYS_INLINE void find_nonzero(const float* x, std::size_t n, Places& found) {
  std::size_t count = 0;
  std::size_t k = 0;
  if constexpr (L::stores_places) {
    for (; k + width <= n; k += width) count += L::store_places(found.of + count, k, L::nonzero(L::load(x + k)));
  }
  for (; k < n; ++k) {
    found.of[count] = static_cast<std::uint32_t>(k);
    count += x[k] != 0.0F ? 1 : 0;
  }
  found.count = count;
}

// A bit for each of x[0..n), n <= 64, that is not zero.
template <class L>
RLCOMPRESS_ALWAYS_INLINE std::uint64_t nonzero_bits(const float* x, std::size_t n) {
  std::uint64_t bits = 0;
  std::size_t k = 0;
  if constexpr (L::finds_nonzero) {
    for (; k + width <= n; k += width) bits |= std::uint64_t{L::nonzero(L::load(x + k))} << k;
  }
  for (; k < n; ++k) bits |= std::uint64_t{x[k] != 0.0F} << k;
  return bits;
}
