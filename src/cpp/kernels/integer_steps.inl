// What surrounds the sums of an integer dense layer: its u8 inputs, and its results.
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
