// Integer dense layers whose groups of 4 inputs are often all zero: the weights of those groups are not read.
// quantise_static orders what a layer gives so that zeros come together.

// A bit for each group of inputs that a test finds.
struct GroupBits {
  static constexpr std::size_t block = 64;
  static constexpr std::size_t most = 8 * block;
  std::uint64_t blocks[most / block];
  std::size_t count;

  template <class Test>
  RLCOMPRESS_ALWAYS_INLINE GroupBits(const IntegerDenseCall& c, Test) : count(0) {
    const std::size_t groups = (c.inputs + 3) / 4;
    for (std::size_t g = 0; g < groups; g += block) {
      blocks[g / block] = bits_of<Test>(c.x + 4 * g, groups - g < block ? groups - g : block);
      count += static_cast<unsigned>(__builtin_popcountll(blocks[g / block]));
    }
  }

  // The bits of n <= 64 groups.
  template <class Test>
  static RLCOMPRESS_ALWAYS_INLINE std::uint64_t bits_of(const std::uint8_t* x, std::size_t n) {
    std::uint64_t found = 0;
    std::size_t g = 0;
    if constexpr (Test::in_lanes) {
      for (; g + width <= n; g += width) found |= std::uint64_t{Test::finds_in_lanes(x + 4 * g)} << g;
    }
    for (; g < n; ++g) found |= std::uint64_t{Test::finds(first_bytes(x + 4 * g, 4))} << g;
    return found;
  }

  // step(0, g, bits) for each group found among the 64 from `first` on.
  template <class Bits, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(std::size_t first, const Step& step, Bits bits) const {
    for (std::uint64_t left = blocks[first / block]; left != 0; left &= left - 1) {
      step(0, first + static_cast<unsigned>(__builtin_ctzll(left)), bits);
    }
  }
};

// Groups with a byte that is not zero.
template <class L>
struct IsNonzero {
  static constexpr bool in_lanes = L::finds_nonzero;
  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t finds_in_lanes(const std::uint8_t* x) { return L::nonzero_groups(x); }
  static RLCOMPRESS_ALWAYS_INLINE bool finds(std::uint64_t four) { return four != 0; }
};

// Groups with a byte of 128 or more.
template <class L>
struct IsLarge {
  static constexpr bool in_lanes = true;
  static RLCOMPRESS_ALWAYS_INLINE std::uint32_t finds_in_lanes(const std::uint8_t* x) { return L::top_groups(x); }
  static RLCOMPRESS_ALWAYS_INLINE bool finds(std::uint64_t four) { return (four & 0x80808080) != 0; }
};

// In place of EveryGroup.
struct NonzeroGroups {
  const GroupBits& nonzero;

  template <unsigned C, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const IntegerDenseCall& c, const Step& step) const {
    for (std::size_t g = 0; 4 * g < c.inputs; g += GroupBits::block) nonzero.each(g, step, AllBits());
  }
};

// In place of EveryGroup, where a product of bytes takes two instructions for their lower seven bits and two for the
// highest: groups with large bytes, where they are few, are multiplied twice. All zero groups are left out.
template <class L>
struct SplitGroups {
  const GroupBits& nonzero;
  const GroupBits& large;

  template <unsigned C, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const IntegerDenseCall& c, const Step& step) const {
    for (std::size_t g = 0; 4 * g < c.inputs; g += GroupBits::block) {
      nonzero.each(g, step, typename L::LowBits());
      large.each(g, step, typename L::TopBits());
    }
  }
};

// Whether the layer was one of these. Apart, so that others do not pay for its stack.
template <class L>
RLCOMPRESS_NO_INLINE bool integer_nonzero_of(const IntegerDenseCall& c) noexcept {
  const GroupBits nonzero(c, IsNonzero<L>());
  if constexpr (L::splits_bytes) {
    const GroupBits large(c, IsLarge<L>());
    if (3 * large.count <= nonzero.count) return integer_panels(c, SplitGroups<L>{nonzero, large}), true;
  }
  if (8 * nonzero.count > 5 * ((c.inputs + 3) / 4)) return false;  // else reading all rows in their order is as fast
  return integer_panels(c, NonzeroGroups{nonzero}), true;
}

template <class L = Lanes>
RLCOMPRESS_ALWAYS_INLINE bool integer_nonzero([[maybe_unused]] const IntegerDenseCall& c) noexcept {
  if constexpr (leaves_out_zeros) {
    constexpr std::size_t least_weights = width == 16 ? 8192 : 1024;
    const bool large = c.outputs >= 8 * width && c.inputs * c.outputs >= least_weights;
    return c.input_zero == 0 && large && c.inputs <= 4 * GroupBits::most && integer_nonzero_of<L>(c);
  }
  return false;
}
