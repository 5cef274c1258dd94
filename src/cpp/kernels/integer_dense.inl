// Integer dense layers at batch 1: u8 inputs, s8 weights in groups of 4 inputs, exact int32 sums. Outputs in lanes;
// where they fill few vectors, several chains of groups hide the latency of the dot product (sums of integers take any
// order).
using Integers = Lanes::Integers;

// The steps of a layer's u8 inputs, in lanes.
struct InputGrid {
  Vec scale, low, high;
  Integers zero;
  RLCOMPRESS_ALWAYS_INLINE explicit InputGrid(const InputSteps& steps)
      : scale(Lanes::splat(steps.scale)),
        low(Lanes::splat(-static_cast<float>(steps.zero))),
        high(Lanes::splat(255.0F - static_cast<float>(steps.zero))),
        zero(Lanes::splat_integer(steps.zero)) {}
  RLCOMPRESS_ALWAYS_INLINE Integers of(Vec x) const {
    const Vec v = Lanes::less_or(Lanes::greater_or(Lanes::mul(x, scale), low), high);  // NaN gives low
    return Lanes::add_integers(Lanes::to_integers(v), zero);
  }
};

// Zeros up to a multiple of 4, where lanes are too narrow to have stored something there.
RLCOMPRESS_ALWAYS_INLINE void pad_bytes(std::uint8_t* q, std::size_t n) {
  if constexpr (width < 4) {
    for (; n % 4 != 0; ++n) q[n] = 0;
  }
}

void quantise_f32(const float* x, const InputSteps& steps, std::uint8_t* q, std::size_t n) noexcept {
  const InputGrid grid(steps);
  std::size_t i = 0;
  for (; i + width <= n; i += width) Lanes::store_bytes(q + i, grid.of(Lanes::load(x + i)));
  if (i < n) Lanes::store_bytes(q + i, grid.of(Lanes::load_first(x + i, n - i)));
  pad_bytes(q, n);
}

// What follows the sums: row scale and relu, then the result as it is or as bytes on the next layer's grid.
struct IntegerFinish {
  const IntegerDenseCall& c;
  InputGrid next;
  RLCOMPRESS_ALWAYS_INLINE explicit IntegerFinish(const IntegerDenseCall& call) : c(call), next(call.next) {
    if (c.relu) next.low = Lanes::zero();  // a step is > 0, so relu(y) in steps is what is above 0 of y in steps
  }
  // Whole vectors are stored: a later load waits longer for a masked store.
  RLCOMPRESS_ALWAYS_INLINE void operator()(Integers sum, Vec scale, std::size_t j) const {
    const Vec y = Lanes::mul(Lanes::to_floats(sum), scale);
    if (c.q != nullptr) return Lanes::store_bytes(c.q + j, next.of(y));
    Lanes::store(c.y + j, c.relu ? Lanes::greater_or(y, Lanes::zero()) : y);
  }
};

// One group of 4 inputs; with Partial the last vector holds `last` outputs.
template <unsigned V, bool Partial>
RLCOMPRESS_ALWAYS_INLINE void integer_step(Integers (&s)[V], const std::uint8_t* x, const std::int8_t* w,
                                           std::size_t last) {
  const Lanes::Bytes four = Lanes::splat_four(x);
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v, w += 4 * width) {
    const bool cut = Partial && v + 1 == V;
    s[v] = Lanes::dot_four(s[v], four, cut ? Lanes::load_integers_first(w, last) : Lanes::load_integers(w));
  }
}

// V vectors of outputs from j on, C chains each; with Partial the last vector holds `last` outputs.
template <unsigned C, unsigned V, bool Partial>
RLCOMPRESS_ALWAYS_INLINE void integer_panel(const IntegerFinish& finish, std::size_t j, std::size_t last) {
  const IntegerDenseCall& c = finish.c;
  Integers s[C][V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    const std::int32_t* bias = c.bias + j + v * width;
    s[0][v] = Partial && v + 1 == V ? Lanes::load_integers_first(bias, last) : Lanes::load_integers(bias);
    RLCOMPRESS_UNROLL
    for (unsigned p = 1; p < C; ++p) s[p][v] = Lanes::splat_integer(0);
  }
  const std::size_t stride = 4 * c.stride;
  const std::int8_t* w = c.weights + 4 * j;
  const std::uint8_t* x = c.x;
  const std::size_t groups = (c.inputs + 3) / 4;
  std::size_t g = 0;
  for (; g + C <= groups; g += C, w += C * stride, x += 4 * C) {
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p < C; ++p) integer_step<V, Partial>(s[p], x + 4 * p, w + p * stride, last);
  }
  RLCOMPRESS_UNROLL
  for (unsigned p = 0; p + 1 < C; ++p) {
    if (g + p < groups)
      integer_step<V, Partial>(s[p], x + 4 * p, w + p * stride, last);  // constant bounds keep s in registers
  }
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) {
    RLCOMPRESS_UNROLL
    for (unsigned h = C / 2; h > 0; h /= 2) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < h; ++p) s[p][v] = Lanes::add_integers(s[p][v], s[p + h][v]);
    }
    const float* scale = c.scale + j + v * width;
    finish(s[0][v], Partial && v + 1 == V ? Lanes::load_first(scale, last) : Lanes::load(scale), j + v * width);
  }
}

// Eight sums in flight; more cost tiny layers their zeroing and adding up. Plain integers have no latency to hide.
constexpr unsigned chains(unsigned vectors) { return width > 1 && vectors < 8 ? 8 / vectors : 1; }

template <unsigned V>
RLCOMPRESS_ALWAYS_INLINE void integer_panels(const IntegerFinish& finish, std::size_t j) {
  const std::size_t outputs = finish.c.outputs;
  constexpr unsigned C = chains(V);
  constexpr std::size_t most = V * width;
  for (; j + most <= outputs; j += most) integer_panel<C, V, false>(finish, j, width);
  const std::size_t left = outputs - j;
  if constexpr (width > 1) {
    if (left > most - width) return integer_panel<C, V, true>(finish, j, left - (most - width));
  }
  if constexpr (V > 1) {
    if (left > 0) integer_panels<V / 2>(finish, j);
  }
}

void integer_dense_u8(const IntegerDenseCall& c) noexcept {
  integer_panels<Lanes::integer_sums>(IntegerFinish(c), 0);
  if (c.q != nullptr) pad_bytes(c.q, c.outputs);
}
