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

  // Else reading all rows in their order is as fast.
  RLCOMPRESS_ALWAYS_INLINE bool pays(std::size_t groups) const { return 8 * count <= 5 * groups; }
};

// In place of EveryGroup, where a product of bytes takes two instructions for their lower seven bits and as many for
// the highest: few groups have a byte of 128 or more, and only theirs are multiplied twice. All zero groups are left
// out.
template <class L>
struct SplitGroups {
  static constexpr std::size_t block = NonzeroGroups::block;
  NonzeroGroups low;
  std::uint64_t top[NonzeroGroups::most / block];
  std::size_t top_count;

  RLCOMPRESS_ALWAYS_INLINE explicit SplitGroups(const IntegerDenseCall& c) : low(c), top_count(0) {
    const std::size_t groups = (c.inputs + 3) / 4;
    for (std::size_t g = 0; g < groups; g += block) {
      top[g / block] = top_bits(c.x + 4 * g, groups - g < block ? groups - g : block);
      top_count += static_cast<unsigned>(__builtin_popcountll(top[g / block]));
    }
  }

  // A bit for each of n <= 64 groups with a byte of 128 or more.
  static RLCOMPRESS_ALWAYS_INLINE std::uint64_t top_bits(const std::uint8_t* x, std::size_t n) {
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

  // Else one way through all rows is as fast.
  RLCOMPRESS_ALWAYS_INLINE bool pays(std::size_t groups) const { return 5 * (low.count + top_count) <= 8 * groups; }
};

// Whether the layer was one of these. Apart, so that others do not pay for its stack.
template <class Groups>
RLCOMPRESS_NO_INLINE bool integer_nonzero_of(const IntegerDenseCall& c) noexcept {
  const Groups found(c);
  if (!found.pays((c.inputs + 3) / 4)) return false;
  integer_panels(c, found);
  return true;
}

template <class L = Lanes>
RLCOMPRESS_ALWAYS_INLINE bool integer_nonzero([[maybe_unused]] const IntegerDenseCall& c) noexcept {
  if constexpr (leaves_out_zeros) {
    constexpr std::size_t least_weights = width == 16 ? 8192 : 1024;
    const bool large = c.outputs >= 8 * width && c.inputs * c.outputs >= least_weights;
    if (!large || c.inputs > 4 * NonzeroGroups::most) return false;
    if constexpr (L::splits_bytes) return integer_nonzero_of<SplitGroups<L>>(c);
    return integer_nonzero_of<NonzeroGroups>(c);
  }
  return false;
}
