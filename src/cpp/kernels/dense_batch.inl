// Dense layers over many rows, outputs in lanes: tiles of rows x vectors of outputs stay in registers while the inputs
// pass by. The weights of a panel of outputs are copied once into a contiguous block, as floats and padded to whole
// vectors, which all tiles then share. One pass per partial sum, so the order is that of a single row.

// V vectors of outputs from j on, for all rows.
template <unsigned P, unsigned V, class Stream>
void dense_batch_panel(const Stream& w, const DenseBatchCall& c, std::size_t j) noexcept {
  const std::size_t columns = c.outputs - j < V * width ? c.outputs - j : V * width;
  alignas(64) float start[V * width] = {};
  if (c.start != nullptr) std::memcpy(start, c.start + j, columns * sizeof(float));
  if constexpr (std::is_same_v<Stream, FloatStream>) {
    // The copy pays where many rows share it, unless the whole layer stays in the first cache anyway.
    const bool in_place = c.rows <= 2 * Lanes::tile_rows || c.inputs * c.outputs <= 8192;
    if (in_place && columns == V * width) {
      return panel_all_rows<P, V>(c, {w.data + c.first + j, c.stride, j, start});
    }
  }
  const std::size_t last = columns - (V - 1) * width;
  float* to = c.panel;
  for (std::size_t k = 0, at = c.first + j; k < c.inputs; ++k, at += c.stride, to += V * width) {
    w.prefetch(at + 16 * c.stride, V * width);
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
    dense(w, {c.weights, c.first, c.x + r * c.x_stride, c.start, c.y + r * c.y_stride, c.inputs, c.outputs, c.stride,
              c.relu});
  }
}

template <class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_batch(const Stream& w, const DenseBatchCall& c) {
  const std::size_t most = c.panel_floats / (c.inputs * width);
  const unsigned partial = partial_sums(c.inputs, c.outputs);
  if (partial == 16) return dense_batch_rows(w, c);
  if (most == 0) return dense_each_row(w, c);
  switch (partial) {
    case 4: return dense_batch_columns<4>(w, c, most);
    case 2: return dense_batch_columns<2>(w, c, most);
    default: return dense_batch_columns<1>(w, c, most);
  }
}

void dense_batch_f32(const DenseBatchCall& c) noexcept { dense_batch(stream_f32(c.weights), c); }
void dense_batch_i8(const DenseBatchCall& c) noexcept { dense_batch(stream_i8(c.weights), c); }
void dense_batch_i4(const DenseBatchCall& c) noexcept { dense_batch(stream_i4(c.weights), c); }
