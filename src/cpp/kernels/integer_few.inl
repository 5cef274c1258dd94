// Integer dense layers of up to 8 outputs: a vector of weights holds several groups of inputs, whose sums are added up
// at the end.

// Lane j of n and those M, 2 M, ... further.
template <unsigned M, class L>
RLCOMPRESS_ALWAYS_INLINE Integers sum_of_groups(Integers n) {
  if constexpr (16 % M == 0) {
    n = L::add_integers(n, L::template lanes_from<8>(n));
    if constexpr (M <= 4) n = L::add_integers(n, L::template lanes_from<4>(n));
    if constexpr (M <= 2) n = L::add_integers(n, L::template lanes_from<2>(n));
    if constexpr (M == 1) n = L::add_integers(n, L::template lanes_from<1>(n));
    return n;
  } else {
    Integers sum = L::add_integers(n, L::template lanes_from<M>(n));
    if constexpr (M <= 5) sum = L::add_integers(sum, L::template lanes_from<2 * M>(n));
    if constexpr (M == 3) {
      sum = L::add_integers(sum, L::template lanes_from<9>(n));
      sum = L::add_integers(sum, L::template lanes_from<12>(n));
    }
    return sum;
  }
}

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
    const Integers weights = 16 % M == 0 ? L::load_integers(w) : L::load_integers_first(w, together * M);
    s[p] = L::dot_four(s[p], L::bytes(L::template spread<M>(x)), weights);
    g += together, x += 4 * together, w += 4 * together * M;
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
  const Integers sum = L::add_integers(L::add_integers(s[0], s[1]), L::add_integers(s[2], s[3]));
  IntegerFinish{c}(sum_of_groups<M, L>(sum), L::load_first(c.scale, M), 0);
}

// Whether the layer was one of these, and fills a vector.
template <class L>
RLCOMPRESS_ALWAYS_INLINE bool integer_few(const IntegerDenseCall& c) noexcept {
  if constexpr (L::spreads) {
    if (c.outputs > 8 || c.inputs * c.outputs < 64) return false;
    switch (c.outputs) {
      case 1: return integer_few<1, L>(c), true;
      case 2: return integer_few<2, L>(c), true;
      case 3: return integer_few<3, L>(c), true;
      case 4: return integer_few<4, L>(c), true;
      case 5: return integer_few<5, L>(c), true;
      case 6: return integer_few<6, L>(c), true;
      case 7: return integer_few<7, L>(c), true;
      default: return integer_few<8, L>(c), true;
    }
  }
  return false;
}
