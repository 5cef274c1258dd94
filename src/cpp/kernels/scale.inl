// Column exponents before, row scales after the sums of a quantized layer.

// 2^e of integers in float lanes, |e| <= 120: both factors and their product are exact.
RLCOMPRESS_ALWAYS_INLINE Vec exp2_of(Vec e) {
  const Vec shifted = Lanes::add(e, Lanes::splat(12582912.0F));
  return Lanes::mul(Lanes::exp2_half(shifted), Lanes::exp2_rest(shifted));
}

void scale_columns_f32(const float* x, const std::int8_t* exponents, float* y, std::size_t n) noexcept {
  const Int8Stream e = stream_i8(exponents);
  std::size_t i = 0;
  for (; i + width <= n; i += width) Lanes::store(y + i, Lanes::mul(Lanes::load(x + i), exp2_of(e.load(i))));
  if (i == n) return;
  const std::size_t left = n - i;
  Lanes::store_first(y + i, Lanes::mul(Lanes::load_first(x + i, left), exp2_of(e.load_first(i, left))), left);
}

struct RowScale {
  const RowScaleCall& c;
  Vec common;
  RLCOMPRESS_ALWAYS_INLINE Vec at(std::size_t i, std::size_t n) const {
    if (c.scale != nullptr) return n == width ? Lanes::load(c.scale + i) : Lanes::load_first(c.scale + i, n);
    return c.one_exponent ? common : exp2_of(stream_i8(c.exponent).load_first(i, n));
  }
  RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, std::size_t i, std::size_t n) const {
    const Vec r = at(i, n);
    if (c.bias == nullptr) return Lanes::mul(y, r);
    return Lanes::fma(y, r, n == width ? Lanes::load(c.bias + i) : Lanes::load_first(c.bias + i, n));
  }
};

void scale_rows_f32(const RowScaleCall& c) noexcept {
  const float exponent = c.scale == nullptr && c.one_exponent ? static_cast<float>(c.exponent[0]) : 0.0F;
  const RowScale row{c, exp2_of(Lanes::splat(exponent))};
  std::size_t i = 0;
  for (; i + width <= c.outputs; i += width) Lanes::store(c.y + i, row.of(Lanes::load(c.y + i), i, width));
  if (i == c.outputs) return;
  const std::size_t left = c.outputs - i;
  Lanes::store_first(c.y + i, row.of(Lanes::load_first(c.y + i, left), i, left), left);
}
