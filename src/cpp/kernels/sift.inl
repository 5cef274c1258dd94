// Masks of magnitudes, 64 elements at a time: two comparisons give two words of bits, from which come the mask in
// either form, the counts, and the few elements that the bounds leave undecided.

constexpr std::size_t sift_block = 64;

struct SiftWords {
  std::uint64_t above_low;
  std::uint64_t above_high;
};

RLCOMPRESS_ALWAYS_INLINE std::uint64_t packed_flags(const std::uint8_t* flags) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < sift_block; i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, flags + i, sizeof(eight));
    bits |= (eight * 0x0102040810204080U) >> 56 << i;
  }
  return bits;
}

RLCOMPRESS_ALWAYS_INLINE SiftWords compare_block(const float* w, Lanes::Ints low, Lanes::Ints high,
                                                 Lanes::Ints& largest) {
  SiftWords words{0, 0};
  if constexpr (Lanes::width == 1) {  // in bytes: compilers make vector code of that, not of single bits
    std::uint8_t over_low[sift_block];
    std::uint8_t over_high[sift_block];
    for (std::size_t i = 0; i < sift_block; ++i) {
      const Lanes::Ints m = Lanes::magnitude(w + i);
      largest = Lanes::larger(largest, m);
      over_low[i] = static_cast<std::uint8_t>(Lanes::above(m, low));
      over_high[i] = static_cast<std::uint8_t>(Lanes::above(m, high));
    }
    return {packed_flags(over_low), packed_flags(over_high)};
  }
  RLCOMPRESS_UNROLL
  for (std::size_t i = 0; i < sift_block; i += Lanes::width) {
    const Lanes::Ints m = Lanes::magnitude(w + i);
    largest = Lanes::larger(largest, m);
    words.above_low |= static_cast<std::uint64_t>(Lanes::above(m, low)) << i;
    words.above_high |= static_cast<std::uint64_t>(Lanes::above(m, high)) << i;
  }
  return words;
}

// Mostly zero, one or two bits are set: two are written without a branch, more in a loop. `out` has room for 64.
RLCOMPRESS_ALWAYS_INLINE std::uint64_t* note_between(const float* w, std::uint64_t between, std::uint32_t first,
                                                     std::uint64_t* out) {
  constexpr std::uint64_t guard = std::uint64_t{1} << 63;
  const auto note = [&](std::uint64_t word) {
    const auto at = static_cast<std::uint32_t>(__builtin_ctzll(word));
    std::uint32_t bits;
    std::memcpy(&bits, w + at, sizeof(bits));
    *out = static_cast<std::uint64_t>(bits & 0x7FFFFFFFU) << 32 | (first + at);
  };
  for (int i = 0; i < 2; ++i) {
    note(between | guard);
    out += between != 0 ? 1 : 0;
    between &= between - 1;
  }
  for (; between != 0; between &= between - 1, ++out) note(between);
  return out;
}

template <bool packed>
RLCOMPRESS_ALWAYS_INLINE void store_mask(std::uint8_t* mask, std::size_t i, std::uint64_t kept) {
  if constexpr (packed) {
    std::memcpy(mask + i / 8, &kept, sizeof(kept));
  } else {
    Lanes::store_flags(mask + i, kept);
  }
}

// A pass over a run of blocks; the words of undecided elements are kept aside, so that noting them does not slow the
// stream.
constexpr std::size_t sift_run = 64;

template <bool noting>
struct Sift {
  const SiftCall& call;
  SiftCount& count;
  Lanes::Ints low = Lanes::splat_int(call.low);
  Lanes::Ints high = Lanes::splat_int(call.high);
  std::uint64_t kept_between = call.keep_between ? ~std::uint64_t{0} : 0;

  template <bool packed>
  RLCOMPRESS_ALWAYS_INLINE void blocks(const float* w, std::size_t n, std::uint64_t valid, std::uint8_t* mask,
                                       std::uint64_t* words) const {
    Lanes::Ints largest = Lanes::splat_int(count.largest);
    std::uint64_t above_low = 0;
    std::uint64_t above_high = 0;
    for (std::size_t i = 0; i < n; ++i, w += sift_block) {
      const SiftWords found = compare_block(w, low, high, largest);
      const std::uint64_t over = found.above_high & valid;
      const std::uint64_t between = (found.above_low & valid) ^ over;
      above_high += static_cast<std::uint64_t>(__builtin_popcountll(over));
      above_low += static_cast<std::uint64_t>(__builtin_popcountll(between));
      if constexpr (noting) words[i] = between;
      store_mask<packed>(mask, i * sift_block, over | (between & kept_between));
    }
    count.above += above_high;
    count.between += above_low;
    count.largest = Lanes::largest(largest);
  }

  // False when `found` has no room for another block.
  RLCOMPRESS_ALWAYS_INLINE bool note(const float* w, std::size_t n, std::size_t first,
                                     const std::uint64_t* words) const {
    if constexpr (!noting) return true;
    std::uint64_t* out = call.found + count.taken;
    const std::uint64_t* const last = call.found + call.capacity;
    for (std::size_t i = 0; i < n; ++i) {
      if (last - out < static_cast<std::ptrdiff_t>(sift_block)) return false;
      const std::size_t at = i * sift_block;
      out = note_between(w + at, words[i], call.first + static_cast<std::uint32_t>(first + at), out);
    }
    count.taken = static_cast<std::size_t>(out - call.found);
    return true;
  }

  template <bool packed>
  RLCOMPRESS_ALWAYS_INLINE void all() const {
    std::uint64_t words[sift_run];
    const std::size_t whole = call.n / sift_block;
    const auto mask_at = [&](std::size_t i) { return call.mask + (packed ? i / 8 : i); };
    for (std::size_t b = 0; b < whole; b += sift_run) {
      const std::size_t n = whole - b < sift_run ? whole - b : sift_run;
      const std::size_t i = b * sift_block;
      blocks<packed>(call.w + i, n, ~std::uint64_t{0}, mask_at(i), words);
      if (!note(call.w + i, n, i, words)) return static_cast<void>(count.taken = call.capacity + 1);
    }
    const std::size_t i = whole * sift_block;
    if (i == call.n) return;
    const std::size_t rest = call.n - i;
    alignas(64) float w[sift_block] = {};
    alignas(64) std::uint8_t mask[sift_block];
    std::memcpy(w, call.w + i, rest * sizeof(float));
    blocks<packed>(w, 1, (std::uint64_t{1} << rest) - 1, mask, words);
    std::memcpy(mask_at(i), mask, packed ? (rest + 7) / 8 : rest);
    if (!note(w, 1, i, words)) count.taken = call.capacity + 1;
  }
};

void sift_magnitudes_f32(const SiftCall& call, SiftCount& count) noexcept {
  if (call.found != nullptr) {
    const Sift<true> sift{call, count};
    call.bits ? sift.all<true>() : sift.all<false>();
  } else {
    const Sift<false> sift{call, count};
    call.bits ? sift.all<true>() : sift.all<false>();
  }
}
