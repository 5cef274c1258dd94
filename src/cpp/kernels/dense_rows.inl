// Dense layers of many inputs and few outputs at batch 1: inputs in lanes over output-major rows, 16 partial sums each.

// R rows from j on: 16 partial sums each, in 16 / width vectors.
template <unsigned R, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_row_group(const Stream& w, const DenseCall& c, std::size_t j) {
  constexpr unsigned N = 16 / static_cast<unsigned>(width);
  Vec s[R][N];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    s[r][0] = c.start != nullptr ? Lanes::load_first(c.start + j + r, 1) : Lanes::zero();
    RLCOMPRESS_UNROLL
    for (unsigned n = 1; n < N; ++n) s[r][n] = Lanes::zero();
  }
  const std::size_t at = c.first + j * c.inputs;
  std::size_t k = 0;
  for (; k + 16 <= c.inputs; k += 16) {
    RLCOMPRESS_UNROLL
    for (unsigned n = 0; n < N; ++n) {
      const Vec x = Lanes::load(c.x + k + n * width);
      RLCOMPRESS_UNROLL
      for (unsigned r = 0; r < R; ++r) {
        s[r][n] = Lanes::fma(w.load(at + r * c.inputs + k + n * width), x, s[r][n]);
      }
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned n = 0; n < N; ++n) {
    const std::size_t i = k + n * width;
    if (i >= c.inputs) continue;
    const std::size_t left = c.inputs - i < width ? c.inputs - i : width;
    const Vec x = Lanes::load_first(c.x + i, left);
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) {
      s[r][n] = Lanes::fma_first(w.load_first(at + r * c.inputs + i, left), x, s[r][n], left);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    RLCOMPRESS_UNROLL
    for (unsigned h = N / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned n = 0; n < h; ++n) s[r][n] = Lanes::add(s[r][n], s[r][n + h]);
    }
    float y = Lanes::sum_halving(s[r][0]);
    if (c.action && y != y) y = __builtin_nanf("");
    c.y[j + r] = c.relu ? (y > 0.0F ? y : 0.0F) : y;
  }
}

template <unsigned R, class Stream>
void dense_rows(const Stream& w, const DenseCall& c, std::size_t j) noexcept {
  for (; j + R <= c.outputs; j += R) dense_row_group<R>(w, c, j);
  if constexpr (R > 1) {
    if (j < c.outputs) dense_rows<R / 2>(w, c, j);
  }
}
