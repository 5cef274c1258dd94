// Dense layers at batch 1. Outputs in lanes over input-major panels (columns), or inputs in lanes over output-major
// rows where the rule asks for 16 partial sums. Both follow the one order of docs/format.md.

// V vectors of outputs from j on, P partial sums each; with Partial the last vector holds `last` outputs.
template <unsigned P, unsigned V, bool Partial, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_panel(const Stream& w, const DenseCall& c, std::size_t j, std::size_t last) {
  Vec s[P][V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    const bool cut = Partial && v + 1 == V;
    s[0][v] = Lanes::zero();
    if (c.start != nullptr) {
      const float* start = c.start + j + v * width;
      s[0][v] = cut ? Lanes::load_first(start, last) : Lanes::load(start);
    }
    RLCOMPRESS_UNROLL
    for (unsigned p = 1; p < P; ++p) s[p][v] = Lanes::zero();
  }
  std::size_t at = c.first + j;
  std::size_t k = 0;
  for (; k + P <= c.inputs; k += P) {
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p < P; ++p, at += c.outputs) {
      const Vec x = Lanes::splat(c.x[k + p]);
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) {
        const std::size_t i = at + v * width;
        s[p][v] = Lanes::fma(Partial && v + 1 == V ? w.load_first(i, last) : w.load(i), x, s[p][v]);
      }
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned p = 0; p + 1 < P; ++p, at += c.outputs) {
    if (k + p >= c.inputs) continue;  // constant bounds keep s in registers
    const Vec x = Lanes::splat(c.x[k + p]);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) {
      const std::size_t i = at + v * width;
      s[p][v] = Lanes::fma(Partial && v + 1 == V ? w.load_first(i, last) : w.load(i), x, s[p][v]);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    RLCOMPRESS_UNROLL
    for (unsigned h = P / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < h; ++p) s[p][v] = Lanes::add(s[p][v], s[p + h][v]);
    }
    if (c.relu) s[0][v] = Lanes::greater_or(s[0][v], Lanes::zero());
    float* y = c.y + j + v * width;
    if (Partial && v + 1 == V) {
      Lanes::store_first(y, s[0][v], last);
    } else {
      Lanes::store(y, s[0][v]);
    }
  }
}

template <unsigned P, unsigned V, class Stream>
std::size_t dense_panels(const Stream& w, const DenseCall& c, std::size_t j) noexcept {
  constexpr std::size_t most = V * width;
  for (; j + most <= c.outputs; j += most) dense_panel<P, V, false>(w, c, j, width);
  const std::size_t left = c.outputs - j;
  if (left > most - width) {
    dense_panel<P, V, true>(w, c, j, left - (most - width));
    return c.outputs;
  }
  if constexpr (V > 1) {
    if (left > 0) return dense_panels<P, V / 2>(w, c, j);
  }
  return j;
}

template <class Stream>
void dense_columns(const Stream& w, const DenseCall& c, unsigned partial) noexcept {
  constexpr unsigned most = Lanes::accumulators;
  switch (partial) {
    case 4: dense_panels<4, (most > 16 ? 4 : most / 4)>(w, c, 0); return;
    case 2: dense_panels<2, most / 2>(w, c, 0); return;
    default: dense_panels<1, most>(w, c, 0); return;
  }
}

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
    const float y = Lanes::sum_halving(s[r][0]);
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

template <class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense(const Stream& w, const DenseCall& c) {
  constexpr unsigned rows = Lanes::accumulators * static_cast<unsigned>(width) / 16;
  const unsigned partial = partial_sums(c.inputs, c.outputs);
  if (partial == 16) return dense_rows<(rows > 8 ? 8 : rows > 1 ? rows : 1)>(w, c, 0);
  dense_columns(w, c, partial);
}

void dense_f32(const DenseCall& c) noexcept { dense(stream_f32(c.weights), c); }
void dense_i8(const DenseCall& c) noexcept { dense(stream_i8(c.weights), c); }
void dense_i4(const DenseCall& c) noexcept { dense(stream_i4(c.weights), c); }
