// Dense layers at batch 1: outputs in lanes over input-major weights. The outputs are shared out evenly among as few
// panels as the registers allow, so that the weights are read nearly in the order in which they are stored.

template <class Function, unsigned... I>
RLCOMPRESS_ALWAYS_INLINE void for_each_index(std::integer_sequence<unsigned, I...>, const Function& function) {
  (function(std::integral_constant<unsigned, I>()), ...);  // constants keep arrays of vectors in registers
}

// V vectors of outputs from j on, P partial sums each; with Cut the last vector holds `last` outputs.
template <unsigned P, unsigned V, bool Cut, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_panel(const Stream& w, const DenseCall& c, std::size_t j, std::size_t last) {
  const auto load = [last](const auto& from, std::size_t at, unsigned v) RLCOMPRESS_INLINE_LAMBDA {
    return Cut && v + 1 == V ? from.load_first(at + v * width, last) : from.load(at + v * width);
  };
  const bool relu = c.relu;
  const std::size_t stride = c.stride;
  const float* x = c.x;
  Vec s[P][V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) s[0][v] = c.start != nullptr ? load(stream_f32(c.start), j, v) : Lanes::zero();
  RLCOMPRESS_UNROLL
  for (unsigned p = 1; p < P; ++p) {
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[p][v] = Lanes::zero();
  }
  std::size_t at = c.first + j;
  const auto step = [&](auto p) RLCOMPRESS_INLINE_LAMBDA {
    const Vec value = Lanes::splat(x[p]);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[p][v] = Lanes::fma(load(w, at, v), value, s[p][v]);
    at += stride;
  };
  const std::size_t left = c.inputs % P;
  for (const float* end = x + (c.inputs - left); x != end; x += P) {
    for_each_index(std::make_integer_sequence<unsigned, P>(), step);
  }
  if (left != 0) {
    for_each_index(std::make_integer_sequence<unsigned, P - 1>(), [&](auto p) RLCOMPRESS_INLINE_LAMBDA {
      if (p < left) step(p);
    });
  }
  float* y = c.y + j;
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    RLCOMPRESS_UNROLL
    for (unsigned h = P / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < h; ++p) s[p][v] = Lanes::add(s[p][v], s[p + h][v]);
    }
    if (relu) s[0][v] = Lanes::greater_or(s[0][v], Lanes::zero());
    Lanes::store(y + v * width, s[0][v]);  // there is room for whole vectors
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

template <unsigned P, unsigned V, bool Cut, class Stream>
void dense_panel_apart(const Stream& w, const DenseCall& c, std::size_t j, std::size_t last) noexcept {
  dense_panel<P, V, Cut>(w, c, j, last);
}

// The panel of `vectors`; narrow ones are worth a copy of the code here, since they have few steps.
template <unsigned P, unsigned V, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_panel_of(std::size_t vectors, const Stream& w, const DenseCall& c, std::size_t j) {
  if constexpr (V > DenseSplit<P, Stream>::narrowest()) {
    if (vectors < V) return dense_panel_of<P, V - 1>(vectors, w, c, j);
  }
  const std::size_t before = j + (V - 1) * width;
  const bool whole = before + width <= c.outputs;
  if constexpr (std::is_same_v<Stream, FloatStream> && P * V <= 8) {
    return whole ? dense_panel<P, V, false>(w, c, j, width) : dense_panel<P, V, true>(w, c, j, c.outputs - before);
  }
  whole ? dense_panel_apart<P, V, false>(w, c, j, width) : dense_panel_apart<P, V, true>(w, c, j, c.outputs - before);
}

template <unsigned P, class Stream>
void dense_many_panels(const Stream& w, const DenseCall& c) noexcept {
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

template <unsigned P, class Stream>
RLCOMPRESS_ALWAYS_INLINE void dense_columns(const Stream& w, const DenseCall& c) {
  constexpr unsigned widest = DenseSplit<P, Stream>::widest;
  const std::size_t vectors = (c.outputs + width - 1) / width;
  if (vectors > widest) return dense_many_panels<P>(w, c);
  dense_panel_of<P, widest>(vectors, w, c, 0);
}
