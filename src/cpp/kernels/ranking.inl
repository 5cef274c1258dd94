// Magnitudes as integers: the bits of |w| rise with |w|, so counting, ranking and thresholds are exact. No lanes are
// needed: plain loops over blocks become vector code in each target.

RLCOMPRESS_ALWAYS_INLINE std::uint32_t magnitude_bits(const float* w) {
  std::uint32_t bits;
  std::memcpy(&bits, w, sizeof(bits));
  return bits & 0x7FFFFFFFU;
}

// `inside` holds 0 or 1 per element, little-endian like everything here; the histogram visits only the ones.
RLCOMPRESS_ALWAYS_INLINE void add_to_bins(const MagnitudeRange& range, const float* w, const std::uint8_t* inside,
                                          std::size_t n, std::uint32_t* bins) {
  for (std::size_t k = 0; k < n; k += 8) {
    std::uint64_t ones;
    std::memcpy(&ones, inside + k, sizeof(ones));
    for (; ones != 0; ones &= ones - 1) {
      const std::size_t j = k + (static_cast<std::size_t>(__builtin_ctzll(ones)) >> 3);
      ++bins[(magnitude_bits(w + j) - range.low - 1) >> range.shift];
    }
  }
}

void count_magnitudes_f32(const MagnitudeRange& range, const float* w, std::size_t n, std::uint32_t* bins,
                          MagnitudeCount& count) noexcept {
  constexpr std::size_t block = 128;
  const std::uint32_t low = range.low;
  const std::uint32_t high = range.high;
  const std::uint32_t between = high > low ? high - low - 1 : 0;
  std::uint32_t largest = count.largest;
  std::size_t i = 0;
  for (; i + block <= n; i += block) {
    alignas(64) std::uint8_t inside[block];
    std::uint32_t above = 0;
    std::uint32_t from_high = 0;
    std::uint32_t from_low = 0;
    std::uint32_t binned = 0;
    for (std::size_t k = 0; k < block; ++k) {
      const std::uint32_t m = magnitude_bits(w + i + k);
      const std::uint32_t is_inside = m - low - 1 < between ? 1 : 0;
      largest = m > largest ? m : largest;
      above += m > high ? 1 : 0;
      from_high += m >= high ? 1 : 0;
      from_low += m >= low ? 1 : 0;
      binned += is_inside;
      inside[k] = static_cast<std::uint8_t>(is_inside);
    }
    count.above += above;
    count.from_high += from_high;
    count.from_low += from_low;
    if (binned != 0) add_to_bins(range, w + i, inside, block, bins);
  }
  for (; i < n; ++i) {
    const std::uint32_t m = magnitude_bits(w + i);
    largest = m > largest ? m : largest;
    count.above += m > high ? 1 : 0;
    count.from_high += m >= high ? 1 : 0;
    count.from_low += m >= low ? 1 : 0;
    if (m - low - 1 < between) ++bins[(m - low - 1) >> range.shift];
  }
  count.largest = largest;
}

void mask_magnitudes_f32(const float* w, std::size_t n, std::uint32_t threshold, std::uint8_t* mask,
                         MaskCount& count) noexcept {
  std::uint32_t equal = 0;
  std::uint32_t largest = count.largest;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t m = magnitude_bits(w + i);
    largest = m > largest ? m : largest;
    equal += m == threshold ? 1 : 0;
    mask[i] = m >= threshold ? 1 : 0;
  }
  count.equal = equal;
  count.largest = largest;
}
