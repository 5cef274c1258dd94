// Sum and squared deviations of a block in float64, in the order that weight_statistics.hpp promises: 32 chains and a
// halving tree. The block is read twice, the second time from the nearest cache.

constexpr std::size_t moment_chains = 32;

template <class Term>
RLCOMPRESS_ALWAYS_INLINE double chained_sum(const float* w, std::size_t n, Term term) {
  double chain[moment_chains] = {};
  std::size_t i = 0;
  for (; i + moment_chains <= n; i += moment_chains) {
    for (std::size_t c = 0; c < moment_chains; ++c) chain[c] += term(w[i + c]);
  }
  for (std::size_t c = 0; i + c < n; ++c) chain[c] += term(w[i + c]);
  for (std::size_t h = moment_chains / 2; h > 0; h /= 2) {
    for (std::size_t c = 0; c < h; ++c) chain[c] += chain[c + h];
  }
  return chain[0];
}

void block_moments_f32(const float* w, std::size_t n, BlockMoments& moments) noexcept {
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto m = static_cast<std::int32_t>(magnitude_bits(w + i));
    largest = m > largest ? m : largest;
  }
  moments.largest = largest;
  moments.sum = chained_sum(w, n, [](float x) { return static_cast<double>(x); });
  const double mean = moments.sum / static_cast<double>(n);
  moments.squares = chained_sum(w, n, [mean](float x) {
    const double d = static_cast<double>(x) - mean;
    return d * d;
  });
}
