// Integer dense layers of 1, 2 or 4 outputs: a vector of weights holds several groups of inputs, whose sums are added
// up at the end.

template <unsigned M, class L>
void integer_few(const IntegerDenseCall& c) noexcept {
  constexpr std::size_t together = 16 / M;
  constexpr unsigned C = 4;  // chains, against the latency of the dot product
  Integers s[C];
  s[0] = L::load_integers_first(c.bias, M);
  RLCOMPRESS_UNROLL
  for (unsigned p = 1; p < C; ++p) s[p] = L::splat_integer(0);
  const std::size_t groups = (c.inputs + 3) / 4;
  const std::uint8_t* x = c.x;
  const std::int8_t* w = c.weights;
  std::size_t g = 0;
  const auto step = [&](unsigned p) RLCOMPRESS_INLINE_LAMBDA {
    s[p] = L::dot_four(s[p], L::bytes(L::template spread<M>(x)), L::load_integers(w));
    g += together, x += 4 * together, w += 64;
  };
  while (g + C * together <= groups) {
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p < C; ++p) step(p);
  }
  RLCOMPRESS_UNROLL
  for (unsigned p = 0; p + 1 < C; ++p) {
    if (g + together <= groups) step(p);
  }
  for (; g < groups; ++g, x += 4, w += 4 * M) {
    s[0] = L::dot_four(s[0], L::splat_four(x), L::load_integers_first(w, M));
  }
  Integers sum = L::add_integers(L::add_integers(s[0], s[1]), L::add_integers(s[2], s[3]));
  sum = L::template add_lanes<8>(sum);
  sum = L::template add_lanes<4>(sum);
  if (M <= 2) sum = L::template add_lanes<2>(sum);
  if (M == 1) sum = L::template add_lanes<1>(sum);
  IntegerFinish{c}(sum, L::load_first(c.scale, M), 0);
}

// Whether the layer is one of these, and fills a vector.
template <class L>
RLCOMPRESS_ALWAYS_INLINE bool is_few(const IntegerDenseCall& c) {
  return L::spreads && c.outputs <= 4 && c.outputs != 3 && c.inputs * c.outputs >= 64;
}

template <class L>
void integer_few(const IntegerDenseCall& c) noexcept {
  if constexpr (L::spreads) {
    if (c.outputs == 1) return integer_few<1, L>(c);
    if (c.outputs == 2) return integer_few<2, L>(c);
    integer_few<4, L>(c);
  }
}
