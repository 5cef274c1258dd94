// Dense layers over many rows, outputs in lanes: tiles of rows x vectors of outputs stay in registers while the inputs
// pass by. The weights of a panel of outputs are copied once into a contiguous block, as floats and padded to whole
// vectors, which all tiles then share. One pass per partial sum, so the order is that of a single row.

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

// V vectors of outputs from j on, for all rows.
template <unsigned P, unsigned V, class Stream>
void dense_batch_panel(const Stream& w, const DenseBatchCall& c, std::size_t j) noexcept {
  const std::size_t columns = c.outputs - j < V * width ? c.outputs - j : V * width;
  alignas(64) float start[V * width] = {};
  if (c.start != nullptr) std::memcpy(start, c.start + j, columns * sizeof(float));
  if constexpr (std::is_same_v<Stream, FloatStream>) {
    if (c.rows <= 2 * Lanes::tile_rows && columns == V * width) {  // too few rows to pay for the copy
      return panel_all_rows<P, V>(c, {w.data + c.first + j, c.outputs, j, start});
    }
  }
  const std::size_t last = columns - (V - 1) * width;
  float* to = c.panel;
  for (std::size_t k = 0, at = c.first + j; k < c.inputs; ++k, at += c.outputs, to += V * width) {
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v + 1 < V; ++v) Lanes::store(to + v * width, w.load(at + v * width));
    const std::size_t i = (V - 1) * width;
    Lanes::store(to + i, last == width ? w.load(at + i) : w.load_first(at + i, last));
  }
  panel_all_rows<P, V>(c, {c.panel, V * width, j, start});
}

template <unsigned P, unsigned V, class Stream>
void dense_batch_panel_of(std::size_t vectors, const Stream& w, const DenseBatchCall& c, std::size_t j) noexcept {
  if constexpr (V > 1) {
    if (vectors < V) return dense_batch_panel_of<P, V - 1>(vectors, w, c, j);
  }
  dense_batch_panel<P, V>(w, c, j);
}

// As few panels as `most` vectors allow, of nearly the same width.
template <unsigned P, class Stream>
void dense_batch_columns(const Stream& w, const DenseBatchCall& c, std::size_t most) noexcept {
  constexpr unsigned all = P == 4 ? (15 + width) / width : Lanes::tile_vectors;  // 4: at most 16 outputs
  constexpr unsigned widest = all < Lanes::tile_vectors ? all : Lanes::tile_vectors;
  if (most > widest) most = widest;
  std::size_t vectors = (c.outputs + width - 1) / width;
  std::size_t j = 0;
  for (std::size_t panels = (vectors + most - 1) / most; panels > 0; --panels) {
    const std::size_t next = (vectors + panels - 1) / panels;
    dense_batch_panel_of<P, widest>(next, w, c, j);
    vectors -= next;
    j += next * width;
  }
}

// The first row last: `start` may lie there.
template <class Stream>
void dense_each_row(const Stream& w, const DenseBatchCall& c) noexcept {
  for (std::size_t r = c.rows; r-- > 0;) {
    dense(w, {c.weights, c.first, c.x + r * c.x_stride, c.start, c.y + r * c.y_stride, c.inputs, c.outputs, c.relu});
  }
}

template <class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_batch(const Stream& w, const DenseBatchCall& c) {
  const std::size_t most = c.panel_floats / (c.inputs * width);
  const unsigned partial = partial_sums(c.inputs, c.outputs);
  if (partial == 16 || most == 0) return dense_each_row(w, c);
  switch (partial) {
    case 4: return dense_batch_columns<4>(w, c, most);
    case 2: return dense_batch_columns<2>(w, c, most);
    default: return dense_batch_columns<1>(w, c, most);
  }
}

void dense_batch_f32(const DenseBatchCall& c) noexcept { dense_batch(stream_f32(c.weights), c); }
void dense_batch_i8(const DenseBatchCall& c) noexcept { dense_batch(stream_i8(c.weights), c); }
void dense_batch_i4(const DenseBatchCall& c) noexcept { dense_batch(stream_i4(c.weights), c); }
