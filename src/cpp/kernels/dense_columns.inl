// Dense layers at batch 1: outputs in lanes over input-major weights. The outputs are shared out evenly among as few
// panels as the registers allow, so that the weights are read nearly in the order in which they are stored.

template <class Function, unsigned... I>
RLCOMPRESS_ALWAYS_INLINE void for_each_index(std::integer_sequence<unsigned, I...>, const Function& function) {
  (function(std::integral_constant<unsigned, I>()), ...);  // constants keep arrays of vectors in registers
}

// All inputs, one after the other.
struct EveryInput {
  // step(p, x, at): input x goes to partial sum p, and its weights begin at `at`.
  template <unsigned P, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const DenseCall& c, const Step& step) const {
    const float* x = c.x;
    const std::size_t stride = c.stride;
    std::size_t at = c.first;
    const auto next = [&](auto p) RLCOMPRESS_INLINE_LAMBDA {
      step(p, x[p], at);
      at += stride;
    };
    const std::size_t left = c.inputs % P;
    for (const float* end = x + (c.inputs - left); x != end; x += P) {
      for_each_index(std::make_integer_sequence<unsigned, P>(), next);
    }
    if (left != 0) {
      for_each_index(std::make_integer_sequence<unsigned, P - 1>(), [&](auto p) RLCOMPRESS_INLINE_LAMBDA {
        if (p < left) next(p);
      });
    }
  }
};

// V vectors of outputs from j on, P partial sums each; with Cut the last vector holds `last` outputs.
template <unsigned P, unsigned V, bool Cut, class Stream, class Inputs>
RLCOMPRESS_ALWAYS_INLINE void dense_panel(const Stream& w, const DenseCall& c, const Inputs& inputs, std::size_t j,
                                          std::size_t last) {
  using L = typename Stream::L;
  constexpr std::size_t lanes = L::width;
  const auto load = [last](const auto& from, std::size_t at, unsigned v) RLCOMPRESS_INLINE_LAMBDA {
    return Cut && v + 1 == V ? from.load_first(at + v * lanes, last) : from.load(at + v * lanes);
  };
  const bool relu = c.relu;
  typename L::Vec s[P][V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) s[0][v] = c.start != nullptr ? load(FloatStreamOf<L>{c.start}, j, v) : L::zero();
  RLCOMPRESS_UNROLL
  for (unsigned p = 1; p < P; ++p) {
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[p][v] = L::zero();
  }
  inputs.template each<P>(c, [&](auto p, float x, std::size_t at) RLCOMPRESS_INLINE_LAMBDA {
    const typename L::Vec value = L::splat(x);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[p][v] = L::fma(load(w, at + j, v), value, s[p][v]);
  });
  float* y = c.y + j;
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    RLCOMPRESS_UNROLL
    for (unsigned h = P / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < h; ++p) s[p][v] = L::add(s[p][v], s[p + h][v]);
    }
    if (relu) s[0][v] = L::greater_or(s[0][v], L::zero());
    if constexpr (L::stores_few && P == 4 && V == 1 && Cut) {
      if (c.action) return L::store_few(y, s[0][v], last);
    }
    L::store(y + v * lanes, s[0][v]);  // there is room for whole vectors
  }
}

// Up to so many outputs lie in narrow vectors: a wide one that is half idle crosses as many cache lines as a full one.
constexpr std::size_t few_columns = 4 * NarrowLanes::width;

// `panels` panels of nearly the same width for `vectors` vectors.
template <unsigned P, class Stream>
struct DenseSplit {
  static constexpr std::size_t lanes = Stream::L::width;
  // Outputs that a layer with this P can have; 0: any number.
  static constexpr std::size_t most_outputs = P == 1 ? 0 : P == 4 ? 16 : lanes < width ? few_columns : 127;
  static constexpr unsigned most = static_cast<unsigned>((most_outputs + lanes - 1) / lanes);
  static constexpr unsigned fit = Stream::accumulators > P ? Stream::accumulators / P : 1;
  static constexpr unsigned widest = P > 1 && most < fit ? most : fit;
  static constexpr std::size_t panels(std::size_t vectors) { return (vectors + widest - 1) / widest; }
  // Of the panels that a layer with this P can have.
  static constexpr unsigned narrowest() {
    constexpr std::size_t fewest_outputs = P == 1 ? 128 : P == 2 ? 17 : 1;
    unsigned least = widest;
    std::size_t vectors = (fewest_outputs + lanes - 1) / lanes;
    for (std::size_t i = 0; i < widest * widest; ++i, ++vectors) {
      const std::size_t floor = vectors / panels(vectors);
      if (floor < least) least = static_cast<unsigned>(floor);
    }
    return least;
  }
};

template <unsigned P, unsigned V, bool Cut, class Stream, class Inputs>
void dense_panel_apart(const Stream& w, const DenseCall& c, const Inputs& inputs, std::size_t j,
                       std::size_t last) noexcept {
  dense_panel<P, V, Cut>(w, c, inputs, j, last);
}

// The panel of `vectors`; narrow ones are worth a copy of the code here, since they have few steps.
template <unsigned P, unsigned V, class Stream, class Inputs>
RLCOMPRESS_ALWAYS_INLINE void dense_panel_of(std::size_t vectors, const Stream& w, const DenseCall& c,
                                             const Inputs& inputs, std::size_t j) {
  if constexpr (V > DenseSplit<P, Stream>::narrowest()) {
    if (vectors < V) return dense_panel_of<P, V - 1>(vectors, w, c, inputs, j);
  }
  constexpr std::size_t lanes = Stream::L::width;
  const std::size_t before = j + (V - 1) * lanes;
  const bool whole = before + lanes <= c.outputs;
  const std::size_t last = whole ? lanes : c.outputs - before;
  if constexpr (!std::is_same_v<Inputs, EveryInput>) {
    return dense_panel_apart<P, V, true>(w, c, inputs, j, last);  // one copy of the code is enough
  }
  if constexpr (std::is_same_v<Stream, FloatStreamOf<typename Stream::L>> && P * V <= 8) {
    return whole ? dense_panel<P, V, false>(w, c, inputs, j, last) : dense_panel<P, V, true>(w, c, inputs, j, last);
  }
  whole ? dense_panel_apart<P, V, false>(w, c, inputs, j, last) : dense_panel_apart<P, V, true>(w, c, inputs, j, last);
}

template <unsigned P, class Stream, class Inputs>
void dense_many_panels(const Stream& w, const DenseCall& c, const Inputs& inputs) noexcept {
  using Split = DenseSplit<P, Stream>;
  constexpr std::size_t lanes = Split::lanes;
  std::size_t vectors = (c.outputs + lanes - 1) / lanes;
  std::size_t j = 0;
  for (std::size_t panels = Split::panels(vectors); panels > 0; --panels) {
    const std::size_t next = (vectors + panels - 1) / panels;
    dense_panel_of<P, Split::widest>(next, w, c, inputs, j);
    vectors -= next;
    j += next * lanes;
  }
}

template <unsigned P, class Stream, class Inputs = EveryInput>
RLCOMPRESS_ALWAYS_INLINE void dense_columns(const Stream& w, const DenseCall& c, const Inputs& inputs = {}) {
  constexpr unsigned widest = DenseSplit<P, Stream>::widest;
  constexpr std::size_t lanes = Stream::L::width;
  const std::size_t vectors = (c.outputs + lanes - 1) / lanes;
  if (vectors > widest) return dense_many_panels<P>(w, c, inputs);
  dense_panel_of<P, widest>(vectors, w, c, inputs, 0);
}
