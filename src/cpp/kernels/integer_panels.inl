// Sums of an integer dense layer in registers: outputs in lanes. Where they fill few vectors, several chains of groups
// hide the latency of the dot product (sums of integers take any order).

// Which bits of the inputs a step multiplies.
struct AllBits {
  static RLCOMPRESS_ALWAYS_INLINE Lanes::Bytes splat(const std::uint8_t* x) { return Lanes::splat_four(x); }
  static RLCOMPRESS_ALWAYS_INLINE Integers dot(Integers sum, const Lanes::Bytes& x, Integers w) {
    return Lanes::dot_four(sum, x, w);
  }
};

// One group of 4 inputs; with Partial the last vector holds `last` outputs.
template <unsigned V, bool Partial, class Bits = AllBits>
RLCOMPRESS_ALWAYS_INLINE void integer_step(Integers (&s)[V], const std::uint8_t* x, const std::int8_t* w,
                                           std::size_t last, Bits = Bits()) {
  const auto four = Bits::splat(x);
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v, w += 4 * width) {
    const bool cut = Partial && v + 1 == V;
    s[v] = Bits::dot(s[v], four, cut ? Lanes::load_integers_first(w, last) : Lanes::load_integers(w));
  }
}

// All groups, one after the other.
struct EveryGroup {
  // step(p, g, bits): these bits of group g go to chain p.
  template <unsigned C, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const IntegerDenseCall& c, const Step& step) const {
    const std::size_t groups = (c.inputs + 3) / 4;
    std::size_t g = 0;
    for (; g + C <= groups; g += C) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < C; ++p) step(p, g + p, AllBits());
    }
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p + 1 < C; ++p) {
      if (g + p < groups) step(p, g + p, AllBits());  // constant bounds keep sums in registers
    }
  }
};

// V vectors of outputs from j on, C chains each, the last with `last` outputs; with Partial the weights have no more.
template <unsigned C, unsigned V, bool Partial, class Groups>
RLCOMPRESS_ALWAYS_INLINE void integer_panel(const IntegerDenseCall& c, const Groups& groups, std::size_t j,
                                            std::size_t last) {
  Integers s[C][V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    const std::int32_t* bias = c.bias + j + v * width;
    s[0][v] = width > 1 && v + 1 == V ? Lanes::load_integers_first(bias, last) : Lanes::load_integers(bias);
    RLCOMPRESS_UNROLL
    for (unsigned p = 1; p < C; ++p) s[p][v] = Lanes::splat_integer(0);
  }
  const std::size_t stride = 4 * c.stride;
  const std::int8_t* w = c.weights + 4 * j;
  const std::uint8_t* x = c.x;
  groups.template each<C>(c, [&](unsigned p, std::size_t g, auto bits) RLCOMPRESS_INLINE_LAMBDA {
    integer_step<V, Partial>(s[p], x + 4 * g, w + g * stride, last, bits);
  });
  const IntegerFinish finish(c);
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    RLCOMPRESS_UNROLL
    for (unsigned h = C / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < h; ++p) s[p][v] = Lanes::add_integers(s[p][v], s[p + h][v]);
    }
    const float* scale = c.scale + j + v * width;
    finish(s[0][v], width > 1 && v + 1 == V ? Lanes::load_first(scale, last) : Lanes::load(scale), j + v * width);
  }
}

// Eight sums in flight; more cost tiny layers their zeroing and adding up. Plain integers have no latency to hide.
constexpr unsigned chains(unsigned vectors) {
  unsigned count = 1;
  while (width > 1 && count * vectors < 8) count *= 2;
  return count;
}

// Rows of this many bytes or more are stored with the zeros that fill their last vector (docs/format.md).
constexpr std::size_t filled_row = 256;

// V vectors from j on, the last with `last` outputs.
template <unsigned V, class Groups>
void integer_panel_of(const IntegerDenseCall& c, const Groups& groups, std::size_t j, std::size_t last) noexcept {
  if constexpr (width > 1 && 4 * V * width <= filled_row) {
    if (last < width) return integer_panel<chains(V), V, true>(c, groups, j, last);
  }
  integer_panel<chains(V), V, false>(c, groups, j, last);
}

template <class Groups>
struct IntegerPanels {
  using Panel = void (*)(const IntegerDenseCall&, const Groups&, std::size_t, std::size_t) noexcept;
  Panel of[Lanes::integer_sums];  // by vectors - 1
};
template <class Groups, unsigned... I>
constexpr IntegerPanels<Groups> integer_panels_of(std::integer_sequence<unsigned, I...>) {
  return {{integer_panel_of<I + 1, Groups>...}};
}
template <class Groups>
constexpr IntegerPanels<Groups> panels_by_vectors =
    integer_panels_of<Groups>(std::make_integer_sequence<unsigned, Lanes::integer_sums>());

// As few panels as the registers allow, of nearly the same width: the weights are read nearly as they lie.
template <class Groups>
void integer_panels(const IntegerDenseCall& c, const Groups& groups) noexcept {
  std::size_t vectors = (c.outputs + width - 1) / width;
  std::size_t j = 0;
  for (std::size_t left = (vectors + Lanes::integer_sums - 1) / Lanes::integer_sums; left > 0; --left) {
    const std::size_t next = (vectors + left - 1) / left;
    const std::size_t last = c.outputs - j - (next - 1) * width;
    panels_by_vectors<Groups>.of[next - 1](c, groups, j, last < width ? last : width);
    vectors -= next;
    j += next * width;
  }
}
