// Sums of an integer dense layer in memory, where y will be: its weights are read in the order in which they lie.
// Panels of registers would read a part of every row, and prefetched the rest for nothing.

// V vectors of outputs of one group of 4 inputs.
template <unsigned V>
RLCOMPRESS_ALWAYS_INLINE void integer_part_of_row(const Lanes::Bytes& four, const std::int8_t* w, std::uint8_t* sums) {
  Integers s[V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    s[v] = Lanes::dot_four(Lanes::load_integers(sums + 4 * v * width), four, Lanes::load_integers(w + 4 * v * width));
  }
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) Lanes::store_integers(sums + 4 * v * width, s[v]);
}

void integer_rows(const IntegerDenseCall& c) noexcept {
  constexpr unsigned V = 4;
  const std::size_t vectors = (c.outputs + width - 1) / width;
  const std::size_t last = c.outputs - (vectors - 1) * width;
  auto* sums = reinterpret_cast<std::uint8_t*>(c.y);
  for (std::size_t v = 0; v < vectors; ++v) {
    const std::int32_t* bias = c.bias + v * width;
    const Integers sum = v + 1 == vectors ? Lanes::load_integers_first(bias, last) : Lanes::load_integers(bias);
    Lanes::store_integers(sums + 4 * v * width, sum);
  }
  const std::int8_t* row = c.weights;
  const std::uint8_t* x = c.x;
  const std::size_t stride = 4 * c.stride;
  for (const std::uint8_t* end = x + c.inputs; x < end; x += 4, row += stride) {
    const Lanes::Bytes four = Lanes::splat_four(x);
    const std::int8_t* w = row;
    std::uint8_t* to = sums;
    std::size_t left = vectors;
    for (; left >= V; left -= V, w += 4 * V * width, to += 4 * V * width) {
      RLCOMPRESS_ONE_REGISTER(w);
      integer_part_of_row<V>(four, w, to);
    }
    for (; left > 0; --left, w += 4 * width, to += 4 * width) integer_part_of_row<1>(four, w, to);
  }
  const IntegerFinish finish(c);
  for (std::size_t v = 0; v < vectors; ++v) {  // q may be y: bytes are written behind the sums that are left
    const float* scale = c.scale + v * width;
    finish(Lanes::load_integers(sums + 4 * v * width),
           v + 1 == vectors ? Lanes::load_first(scale, last) : Lanes::load(scale), v * width);
  }
}
