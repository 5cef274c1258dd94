// Gradients through an activation, and their sums over the columns: what biases move by. A row's sum is made as a kept
// weight's gradient is (kernels/sddmm.inl): 16 partial sums, then the tree.

struct SlopeOfIdentity {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec, Vec d) { return d; }
};

struct SlopeOfRelu {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec d) {
    return Lanes::select_less(Lanes::zero(), y, d, Lanes::zero());
  }
};

struct SlopeOfTanh {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec d) {
    return Lanes::mul(d, Lanes::sub(Lanes::splat(1.0F), Lanes::mul(y, y)));
  }
};

// One row in place; returns its sum but for the last levels of the tree.
template <class Slope>
RLCOMPRESS_ALWAYS_INLINE Vec slope_row(const float* y, float* dy, std::size_t columns) {
  constexpr std::size_t N = 16 / width;
  Vec s[N];
  RLCOMPRESS_UNROLL
  for (std::size_t i = 0; i < N; ++i) s[i] = Lanes::zero();
  for (std::size_t b = 0; b < columns; b += 16) {
    RLCOMPRESS_UNROLL
    for (std::size_t i = 0; i < N; ++i) {
      const std::size_t at = b + i * width;
      const Vec d = Slope::of(Lanes::load(y + at), Lanes::load(dy + at));
      Lanes::store(dy + at, d);
      s[i] = Lanes::add(s[i], d);
    }
  }
  return tree_to_one(s);
}

template <class Slope>
void slope_rows(const SlopeCall& c) noexcept {
  for (std::size_t first = 0; first < c.rows; first += width) {
    const std::size_t count = c.rows - first < width ? c.rows - first : width;
    Vec s[width];
    for (Vec& one : s) one = Lanes::zero();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = (first + i) * c.columns;
      s[i] = slope_row<Slope>(c.y + at, c.dy + at, c.columns);
    }
    Lanes::store_first(c.sums + first, Lanes::sums_halving(s), count);
  }
}

void slope_f32(Activation activation, const SlopeCall& c) noexcept {
  if (activation == Activation::relu) return slope_rows<SlopeOfRelu>(c);
  if (activation == Activation::tanh) return slope_rows<SlopeOfTanh>(c);
  slope_rows<SlopeOfIdentity>(c);
}
