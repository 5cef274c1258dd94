// Tiles of rows x vectors of outputs that stay in registers while the inputs pass by.

template <unsigned T, unsigned V>
struct DenseTile {
  Vec s[T][V];
};

struct DensePanel {
  const float* w;      // input k begins at w + k * stride
  std::size_t stride;  // floats
  std::size_t j;       // first output
  const float* start;  // of each output, whole vectors
};

// s[p] of the rows from `row` on, where s[0] starts at the bias.
template <unsigned P, unsigned T, unsigned V>
RLCOMPRESS_ALWAYS_INLINE DenseTile<T, V> tile_sum(const DenseBatchCall& c, const DensePanel& panel, std::size_t row,
                                                  unsigned p) {
  DenseTile<T, V> tile;
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    tile.s[0][v] = p == 0 ? Lanes::load(panel.start + v * width) : Lanes::zero();
    RLCOMPRESS_UNROLL
    for (unsigned t = 1; t < T; ++t) tile.s[t][v] = tile.s[0][v];
  }
  const float* x = c.x + row * c.x_stride;
  const float* w = panel.w + p * panel.stride;
  for (std::size_t k = p; k < c.inputs; k += P, w += P * panel.stride) {
    Vec weights[V];
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) weights[v] = Lanes::load(w + v * width);
    RLCOMPRESS_UNROLL
    for (unsigned t = 0; t < T; ++t) {
      const Vec value = Lanes::splat(x[t * c.x_stride + k]);
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) tile.s[t][v] = Lanes::fma(weights[v], value, tile.s[t][v]);
    }
  }
  return tile;
}

// s[p] after the halving tree's step to H sums; s[p] + s[p + H] of the step before.
template <unsigned P, unsigned H, unsigned T, unsigned V>
RLCOMPRESS_ALWAYS_INLINE DenseTile<T, V> tile_tree(const DenseBatchCall& c, const DensePanel& panel, std::size_t row,
                                                   unsigned p) {
  if constexpr (H == P) {
    return tile_sum<P, T, V>(c, panel, row, p);
  } else {
    DenseTile<T, V> low = tile_tree<P, 2 * H, T, V>(c, panel, row, p);
    const DenseTile<T, V> high = tile_tree<P, 2 * H, T, V>(c, panel, row, p + H);
    RLCOMPRESS_UNROLL
    for (unsigned t = 0; t < T; ++t) {
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) low.s[t][v] = Lanes::add(low.s[t][v], high.s[t][v]);
    }
    return low;
  }
}

// Tiles of T rows from `row` on, then smaller ones; y has room for whole vectors.
template <unsigned P, unsigned V, unsigned T>
RLCOMPRESS_ALWAYS_INLINE void panel_rows(const DenseBatchCall& c, const DensePanel& panel, std::size_t row) {
  for (; row + T <= c.rows; row += T) {
    DenseTile<T, V> tile = tile_tree<P, 1, T, V>(c, panel, row, 0);
    float* y = c.y + row * c.y_stride + panel.j;
    RLCOMPRESS_UNROLL
    for (unsigned t = 0; t < T; ++t, y += c.y_stride) {
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) {
        if (c.relu) tile.s[t][v] = Lanes::greater_or(tile.s[t][v], Lanes::zero());
        Lanes::store(y + v * width, tile.s[t][v]);
      }
    }
  }
  if constexpr (T > 1) {
    if (row < c.rows) panel_rows<P, V, T / 2>(c, panel, row);
  }
}

template <unsigned P, unsigned V>
void panel_all_rows(DenseBatchCall c, DensePanel panel) noexcept {  // by value: stores cannot change them
  panel_rows<P, V, Lanes::tile_rows>(c, panel, 0);
}
