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

// Counts of a sample, or of a block of weights, that lies in a near cache.
std::int32_t magnitudes_f32(const float* w, std::size_t n, std::int32_t* bits) noexcept {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto m = static_cast<std::int32_t>(magnitude_bits(w + i));
    largest = m > largest ? m : largest;
    bits[i] = m;
  }
  return largest;
}

// Wide lanes count the bits of their comparisons; the others run plain loops over four quarters, so that as many chains
// of vector code hide each other's latency.
std::uint32_t count_above_i32(const std::int32_t* bits, std::size_t n, std::int32_t bound) noexcept {
  std::uint32_t count[4] = {};
  std::size_t i = 0;
  if constexpr (Lanes::width == 16) {
    const Lanes::Ints limit = Lanes::splat_int(bound);
    for (; i + 64 <= n; i += 64) {
      RLCOMPRESS_UNROLL
      for (std::size_t k = 0; k < 4; ++k) {
        const std::uint32_t above = Lanes::above(Lanes::load_ints(bits + i + 16 * k), limit);
        count[k] += static_cast<std::uint32_t>(__builtin_popcount(above));
      }
    }
  } else {
    const std::size_t quarter = n / 4;
    for (std::size_t k = 0; k < quarter; ++k) {
      count[0] += bits[k] > bound ? 1U : 0U;
      count[1] += bits[k + quarter] > bound ? 1U : 0U;
      count[2] += bits[k + 2 * quarter] > bound ? 1U : 0U;
      count[3] += bits[k + 3 * quarter] > bound ? 1U : 0U;
    }
    i = 4 * quarter;
  }
  for (; i < n; ++i) count[0] += bits[i] > bound ? 1U : 0U;
  return count[0] + count[1] + count[2] + count[3];
}
