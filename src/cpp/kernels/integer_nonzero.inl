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
        step(0, g + static_cast<unsigned>(__builtin_ctzll(left)), AllBits());
      }
    }
  }
};

// In place of EveryGroup, where a product of bytes takes two instructions for their lower seven bits and two for the
// highest: groups with a byte of 128 or more, where they are few, are multiplied twice. All zero groups are left out.
template <class L>
struct SplitGroups {
  static constexpr std::size_t block = NonzeroGroups::block;
  const NonzeroGroups& low;
  std::uint64_t top[NonzeroGroups::most / block];
  std::size_t count;

  RLCOMPRESS_ALWAYS_INLINE SplitGroups(const IntegerDenseCall& c, const NonzeroGroups& nonzero)
      : low(nonzero), count(0) {
    const std::size_t groups = (c.inputs + 3) / 4;
    for (std::size_t g = 0; g < groups; g += block) {
      top[g / block] = bits_of(c.x + 4 * g, groups - g < block ? groups - g : block);
      count += static_cast<unsigned>(__builtin_popcountll(top[g / block]));
    }
  }

  // A bit for each of n <= 64 groups with a byte of 128 or more.
  static RLCOMPRESS_ALWAYS_INLINE std::uint64_t bits_of(const std::uint8_t* x, std::size_t n) {
    std::uint64_t found = 0;
    std::size_t g = 0;
    for (; g + width <= n; g += width) found |= std::uint64_t{L::top_groups(x + 4 * g)} << g;
    for (; g < n; ++g) found |= std::uint64_t{(first_bytes(x + 4 * g, 4) & 0x80808080U) != 0} << g;
    return found;
  }

  template <unsigned C, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const IntegerDenseCall& c, const Step& step) const {
    const std::size_t groups = (c.inputs + 3) / 4;
    for (std::size_t g = 0; g < groups; g += block) {
      for (std::uint64_t left = low.bits[g / block]; left != 0; left &= left - 1) {
        step(0, g + static_cast<unsigned>(__builtin_ctzll(left)), typename L::LowBits());
      }
      for (std::uint64_t left = top[g / block]; left != 0; left &= left - 1) {
        step(0, g + static_cast<unsigned>(__builtin_ctzll(left)), typename L::TopBits());
      }
    }
  }
};

// Whether the layer was one of these. Apart, so that others do not pay for its stack.
template <class L>
RLCOMPRESS_NO_INLINE bool integer_nonzero_of(const IntegerDenseCall& c) noexcept {
  const NonzeroGroups nonzero(c);
  if constexpr (L::splits_bytes) {
    const SplitGroups<L> split(c, nonzero);
    if (3 * split.count <= nonzero.count) return integer_panels(c, split), true;
  }
  if (8 * nonzero.count > 5 * ((c.inputs + 3) / 4)) return false;  // else reading all rows in their order is as fast
  return integer_panels(c, nonzero), true;
}

template <class L = Lanes>
RLCOMPRESS_ALWAYS_INLINE bool integer_nonzero([[maybe_unused]] const IntegerDenseCall& c) noexcept {
  if constexpr (leaves_out_zeros) {
    constexpr std::size_t least_weights = width == 16 ? 8192 : 1024;
    const bool large = c.outputs >= 8 * width && c.inputs * c.outputs >= least_weights;
    return c.zero_is_0 && large && c.inputs <= 4 * NonzeroGroups::most && integer_nonzero_of<L>(c);
  }
  return false;
}
