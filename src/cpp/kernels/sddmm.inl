// The gradient of a sparse matrix's weights, where it has entries: per entry 16 partial sums over the columns (column b
// goes to sum b mod 16, rising, fused, from +0), then the tree s[i] + s[i + h] for h = 8, 4, 2, 1.

template <std::size_t N>
RLCOMPRESS_ALWAYS_INLINE float sddmm_entry(const float* x, const float* dy, std::size_t n) {
  Vec s[N];
  RLCOMPRESS_UNROLL
  for (std::size_t i = 0; i < N; ++i) s[i] = Lanes::zero();
  for (std::size_t b = 0; b < n; b += 16) {
    RLCOMPRESS_UNROLL
    for (std::size_t i = 0; i < N; ++i) {
      s[i] = Lanes::fma(Lanes::load(dy + b + i * width), Lanes::load(x + b + i * width), s[i]);
    }
  }
  RLCOMPRESS_UNROLL
  for (std::size_t h = N / 2; h > 0; h /= 2) {
    RLCOMPRESS_UNROLL
    for (std::size_t i = 0; i < h; ++i) s[i] = Lanes::add(s[i], s[i + h]);
  }
  return Lanes::sum_halving(s[0]);
}

// A whole tile, with the row of dy in registers where it fits.
template <std::size_t N>
RLCOMPRESS_ALWAYS_INLINE void sddmm_run(const SddmmCall& c, const float* dy, std::size_t at, std::size_t count) {
  for (std::size_t e = at; e < at + count; ++e) {
    const float* x = c.x + c.columns[e] * c.stride;
    RLCOMPRESS_ONE_REGISTER(x);
    const float sum = c.n == sddmm_tile ? sddmm_entry<N>(x, dy, sddmm_tile) : sddmm_entry<N>(x, dy, c.n);
    c.gradient[e] = c.add ? c.gradient[e] + sum : sum;
  }
}

void sddmm_rows_f32(const SddmmCall& c) noexcept {
  std::size_t at = 0;
  for (std::size_t run = 0; run < c.run_count; ++run) {
    sddmm_run<16 / width>(c, c.dy + c.runs[run].row * c.stride, at, c.runs[run].count);
    at += c.runs[run].count;
  }
}
