// Many rows through a layer of 16 partial sums: a tile of rows x outputs, as many dots as a vector has lanes, so that
// one shared tree of additions gives a vector of results.

struct DotTile {
  static constexpr unsigned outputs = width >= 4 ? 4 : 1;
  static constexpr unsigned rows = static_cast<unsigned>(width) / outputs;
  Vec s[width];  // row-major
};

// Where the tile's values are; beyond the last row or output they repeat it.
struct DotPlace {
  const float* x[DotTile::rows];
  std::size_t w[DotTile::outputs];
  float start[DotTile::outputs];
};

// Partial sums n * width onwards, `width` of them.
template <class Stream>
RLCOMPRESS_ALWAYS_INLINE DotTile dot_sum(const Stream& w, const DotPlace& at, std::size_t inputs, unsigned n) {
  constexpr unsigned R = DotTile::outputs;
  DotTile tile;
  RLCOMPRESS_UNROLL
  for (unsigned i = 0; i < width; ++i) {
    tile.s[i] = n == 0 ? Lanes::load_first(at.start + i % R, 1) : Lanes::zero();
  }
  std::size_t k = n * width;
  for (; k + width <= inputs; k += 16) {
    Vec weights[R];
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) weights[r] = w.load(at.w[r] + k);
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < width; ++i) {
      tile.s[i] = Lanes::fma(weights[i % R], Lanes::load(at.x[i / R] + k), tile.s[i]);
    }
  }
  if (k >= inputs) return tile;
  const std::size_t left = inputs - k;
  RLCOMPRESS_UNROLL
  for (unsigned i = 0; i < width; ++i) {
    const Vec x = Lanes::load_first(at.x[i / R] + k, left);
    tile.s[i] = Lanes::fma_first(w.load_first(at.w[i % R] + k, left), x, tile.s[i], left);
  }
  return tile;
}

// The halving tree down to H vectors of each dot.
template <unsigned N, unsigned H, class Stream>
RLCOMPRESS_ALWAYS_INLINE DotTile dot_tree(const Stream& w, const DotPlace& at, std::size_t inputs, unsigned n) {
  if constexpr (H == N) {
    return dot_sum(w, at, inputs, n);
  } else {
    DotTile low = dot_tree<N, 2 * H>(w, at, inputs, n);
    const DotTile high = dot_tree<N, 2 * H>(w, at, inputs, n + H);
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < width; ++i) low.s[i] = Lanes::add(low.s[i], high.s[i]);
    return low;
  }
}

template <class Stream>
void dense_batch_rows(const Stream& w, const DenseBatchCall& c) noexcept {
  constexpr unsigned R = DotTile::outputs;
  constexpr unsigned T = DotTile::rows;
  for (std::size_t first = 0; first < c.outputs; first += R) {
    const std::size_t outputs = c.outputs - first < R ? c.outputs - first : R;
    DotPlace at;
    for (unsigned r = 0; r < R; ++r) {
      const std::size_t output = first + (r < outputs ? r : outputs - 1);
      at.w[r] = c.first + output * c.inputs;
      at.start[r] = c.start != nullptr ? c.start[output] : 0.0F;
    }
    for (std::size_t row = 0; row < c.rows; row += T) {
      const std::size_t rows = c.rows - row < T ? c.rows - row : T;
      for (unsigned t = 0; t < T; ++t) at.x[t] = c.x + (row + (t < rows ? t : rows - 1)) * c.x_stride;
      const DotTile tile = dot_tree<16 / static_cast<unsigned>(width), 1>(w, at, c.inputs, 0);
      Vec y = Lanes::sums_halving(tile.s);
      if (c.relu) y = Lanes::greater_or(y, Lanes::zero());
      float values[width];
      Lanes::store(values, y);
      for (unsigned t = 0; t < rows; ++t) {
        for (unsigned r = 0; r < outputs; ++r) c.y[(row + t) * c.y_stride + first + r] = values[t * R + r];
      }
    }
  }
}
