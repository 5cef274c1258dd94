// Dense layers of one partial sum whose outputs fill more registers than there are, at batch 1: the sums are in memory,
// where y will be, so that the weights are read in the order in which they lie. Panels of registers would read a part
// of every row, and what is prefetched of the rest is in the way.

// V vectors of outputs of R inputs, whose splats are `x`. With Far the weights come from beyond the second-level cache.
template <unsigned R, unsigned V, bool Far>
RLCOMPRESS_ALWAYS_INLINE void dense_part_of_rows(const float* w, std::size_t stride, const Vec (&x)[R], float* y) {
  constexpr std::size_t ahead = 1024;  // weights
  Vec s[V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) s[v] = Lanes::load(y + v * width);
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) {
      if (Far) prefetch_bytes(w + r * stride, 4 * (v * width + ahead), 64);
      s[v] = Lanes::fma(Lanes::load(w + r * stride + v * width), x[r], s[v]);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) Lanes::store(y + v * width, s[v]);
}

template <unsigned R, unsigned V, bool Far>
RLCOMPRESS_ALWAYS_INLINE void dense_rows_of(const float* w, std::size_t stride, const float* x, float* y,
                                            std::size_t vectors) {
  Vec splats[R];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) splats[r] = Lanes::splat(x[r]);
  for (; vectors >= V; vectors -= V, w += V * width, y += V * width) {
    RLCOMPRESS_ONE_REGISTER(w);
    dense_part_of_rows<R, V, Far>(w, stride, splats, y);
  }
  for (; vectors > 0; --vectors, w += width, y += width) dense_part_of_rows<R, 1, Far>(w, stride, splats, y);
}

// Rows are stored whole, with zeros up to a multiple of 16 (docs/format.md).
void dense_wide(const FloatStream& w, const DenseCall& c) noexcept {
  for (std::size_t j = 0; j < c.outputs; j += width) {
    const std::size_t left = c.outputs - j < width ? c.outputs - j : width;
    Lanes::store(c.y + j, c.start != nullptr ? Lanes::load_first(c.start + j, left) : Lanes::zero());
  }
  const std::size_t vectors = (c.outputs + width - 1) / width;
  const std::size_t inputs = c.inputs;
  const std::size_t stride = c.stride;
  const float* x = c.x;
  float* y = c.y;
  const float* at = w.data + c.first;
  std::size_t k = 0;
  if (4 * inputs * stride >= beyond_second_cache) {
    for (; k + 2 <= inputs; k += 2, at += 2 * stride) dense_rows_of<2, 8, true>(at, stride, x + k, y, vectors);
  }
  for (; k < inputs; ++k, at += stride) dense_rows_of<1, 4, false>(at, stride, x + k, y, vectors);
  if (!c.relu) return;
  for (std::size_t j = 0; j < c.outputs; j += width) {
    Lanes::store(c.y + j, Lanes::greater_or(Lanes::load(c.y + j), Lanes::zero()));
  }
}

// Whether the registers cannot hold the sums, and the weights come from beyond the first cache, whose bandwidth sums in
// memory share.
RLCOMPRESS_ALWAYS_INLINE bool is_wide(const DenseCall& c) {
  return width == 16 && c.outputs > Lanes::accumulators * width && 4 * c.inputs * c.stride >= beyond_first_cache;
}
