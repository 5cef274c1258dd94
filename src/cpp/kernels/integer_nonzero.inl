// Integer dense layers whose groups of 4 inputs are often all zero: the weights of those groups are not read.
// quantise_static orders what a layer gives so that zeros come together.

// In place of EveryGroup.
struct NonzeroGroups {
  static constexpr std::size_t block = 64;
  static constexpr std::size_t most = 8 * block;
  std::uint64_t bits[most / block];
  std::size_t count;

  RLCOMPRESS_ALWAYS_INLINE explicit NonzeroGroups(const IntegerDenseCall& c) : count(0) {
    const std::size_t groups = (c.inputs + 3) / 4;
    for (std::size_t g = 0; g < groups; g += block) {
      bits[g / block] = bits_of<Lanes>(c.x + 4 * g, groups - g < block ? groups - g : block);
      count += static_cast<unsigned>(__builtin_popcountll(bits[g / block]));
    }
  }

  // A bit for each of n <= 64 groups that is not zero.
  template <class L>
  static RLCOMPRESS_ALWAYS_INLINE std::uint64_t bits_of(const std::uint8_t* x, std::size_t n) {
    std::uint64_t found = 0;
    std::size_t g = 0;
    if constexpr (L::finds_nonzero) {
      for (; g + width <= n; g += width) found |= std::uint64_t{L::nonzero_groups(x + 4 * g)} << g;
    }
    for (; g < n; ++g) found |= std::uint64_t{first_bytes(x + 4 * g, 4) != 0} << g;
    return found;
  }

  template <unsigned C, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const IntegerDenseCall& c, const Step& step) const {
    const std::size_t groups = (c.inputs + 3) / 4;
    for (std::size_t g = 0; g < groups; g += block) {
      for (std::uint64_t left = bits[g / block]; left != 0; left &= left - 1) {
        step(0, g + static_cast<unsigned>(__builtin_ctzll(left)));
      }
    }
  }
};

// Whether the layer was one of these. Apart, so that others do not pay for its stack.
template <class Groups>
RLCOMPRESS_NO_INLINE bool integer_nonzero_of(const IntegerDenseCall& c) noexcept {
  const Groups found(c);
  if (8 * found.count > 5 * ((c.inputs + 3) / 4)) return false;  // else reading all rows in their order is as fast
  integer_panels(c, found);
  return true;
}

template <class Groups = NonzeroGroups>
RLCOMPRESS_ALWAYS_INLINE bool integer_nonzero([[maybe_unused]] const IntegerDenseCall& c) noexcept {
  if constexpr (leaves_out_zeros) {
    constexpr std::size_t least_weights = width == 16 ? 8192 : 1024;
    const bool pays = c.outputs >= 8 * width && c.inputs * c.outputs >= least_weights && c.inputs <= 4 * Groups::most;
    return pays && integer_nonzero_of<Groups>(c);
  }
  return false;
}
