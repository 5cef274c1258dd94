// Dense layers at batch 1: outputs in lanes over input-major weights. The outputs are shared out evenly among as few
// panels as the registers allow, so that the weights are read nearly in the order in which they are stored.

// V vectors of outputs from j on, P partial sums each; with Cut the last vector holds `last` outputs.
template <unsigned P, unsigned V, bool Cut, class Stream>
void dense_panel(const Stream& w, const DenseCall& c, std::size_t j, std::size_t last) noexcept {
  const auto weights = [&](std::size_t at, unsigned v) RLCOMPRESS_INLINE_LAMBDA {
    return Cut && v + 1 == V ? w.load_first(at + v * width, last) : w.load(at + v * width);
  };
  Vec s[P][V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    s[0][v] = Lanes::zero();
    if (c.start != nullptr) {
      const float* start = c.start + j + v * width;
      s[0][v] = Cut && v + 1 == V ? Lanes::load_first(start, last) : Lanes::load(start);
    }
    RLCOMPRESS_UNROLL
    for (unsigned p = 1; p < P; ++p) s[p][v] = Lanes::zero();
  }
  const float* x = c.x;
  const std::size_t outputs = c.outputs;
  std::size_t at = c.first + j;
  std::size_t left = c.inputs;
  for (; left >= P; left -= P, x += P) {
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p < P; ++p, at += outputs) {
      const Vec value = Lanes::splat(x[p]);
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) s[p][v] = Lanes::fma(weights(at, v), value, s[p][v]);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned p = 0; p + 1 < P; ++p, at += outputs) {
    if (p >= left) continue;  // constant bounds keep s in registers
    const Vec value = Lanes::splat(x[p]);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[p][v] = Lanes::fma(weights(at, v), value, s[p][v]);
  }
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    RLCOMPRESS_UNROLL
    for (unsigned h = P / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < h; ++p) s[p][v] = Lanes::add(s[p][v], s[p + h][v]);
    }
    if (c.relu) s[0][v] = Lanes::greater_or(s[0][v], Lanes::zero());
    Lanes::store(c.y + j + v * width, s[0][v]);  // y has room for whole vectors
  }
}

// `panels` panels of nearly the same width for `vectors` vectors.
template <unsigned P, class Stream>
struct DenseSplit {
  static constexpr unsigned widest = Stream::accumulators > P ? Stream::accumulators / P : 1;
  static constexpr std::size_t panels(std::size_t vectors) { return (vectors + widest - 1) / widest; }
  // Of the panels that a layer with this P can have.
  static constexpr unsigned narrowest() {
    constexpr std::size_t fewest_outputs = P == 1 ? 128 : P == 2 ? 17 : 1;
    unsigned least = widest;
    std::size_t vectors = (fewest_outputs + width - 1) / width;
    for (std::size_t i = 0; i < widest * widest; ++i, ++vectors) {
      const std::size_t floor = vectors / panels(vectors);
      if (floor < least) least = static_cast<unsigned>(floor);
    }
    return least;
  }
};

template <unsigned P, unsigned V, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_panel_of(std::size_t vectors, const Stream& w, const DenseCall& c, std::size_t j) {
  if constexpr (V > DenseSplit<P, Stream>::narrowest()) {
    if (vectors < V) return dense_panel_of<P, V - 1>(vectors, w, c, j);
  }
  const std::size_t before = j + (V - 1) * width;
  if (before + width <= c.outputs) return dense_panel<P, V, false>(w, c, j, width);
  dense_panel<P, V, true>(w, c, j, c.outputs - before);
}

template <unsigned P, class Stream>
void dense_columns(const Stream& w, const DenseCall& c) noexcept {
  using Split = DenseSplit<P, Stream>;
  std::size_t vectors = (c.outputs + width - 1) / width;
  std::size_t j = 0;
  for (std::size_t panels = Split::panels(vectors); panels > 0; --panels) {
    const std::size_t next = (vectors + panels - 1) / panels;
    dense_panel_of<P, Split::widest>(next, w, c, j);
    vectors -= next;
    j += next * width;
  }
}
