// exp, sigmoid, tanh and the activations built from them: the polynomials of docs/format.md, element by element.

RLCOMPRESS_ALWAYS_INLINE Vec clamp(Vec x, Vec low, Vec high) {
  return Lanes::less_or(high, Lanes::greater_or(low, x));  // NaN stays: both keep their second operand then
}

RLCOMPRESS_ALWAYS_INLINE Vec exp_of(Vec x) {
  x = clamp(x, Lanes::splat(-104.5F), Lanes::splat(89.5F));
  const Vec magic = Lanes::splat(12582912.0F);  // 1.5 * 2^23: the sum's low bits are the rounded integer
  const Vec shifted = Lanes::fma(x, Lanes::splat(0x1.715476p0F), magic);
  const Vec t = Lanes::sub(shifted, magic);
  Vec r = Lanes::fma(t, Lanes::splat(-0.693359375F), x);
  r = Lanes::fma(t, Lanes::splat(2.12194440e-4F), r);
  Vec q = Lanes::splat(0x1.6a2352p-10F);
  q = Lanes::fma(q, r, Lanes::splat(0x1.123a6cp-7F));
  q = Lanes::fma(q, r, Lanes::splat(0x1.5558f4p-5F));
  q = Lanes::fma(q, r, Lanes::splat(0x1.55549p-3F));
  q = Lanes::fma(q, r, Lanes::splat(0x1.fffffcp-2F));
  const Vec y = Lanes::add(Lanes::fma(q, Lanes::mul(r, r), r), Lanes::splat(1.0F));
  // Two factors, so that subnormal and infinite results round once and right.
  return Lanes::mul(Lanes::mul(y, Lanes::exp2_half(shifted)), Lanes::exp2_rest(shifted));
}

RLCOMPRESS_ALWAYS_INLINE Vec sigmoid_of(Vec x) {
  const Vec one = Lanes::splat(1.0F);
  const Vec e = exp_of(Lanes::negative_abs(x));
  return Lanes::div(Lanes::select_less(x, Lanes::zero(), e, one), Lanes::add(one, e));
}

RLCOMPRESS_ALWAYS_INLINE Vec tanh_of(Vec x) {
  const Vec one = Lanes::splat(1.0F);
  const Vec a = Lanes::abs(x);
  const Vec t = Lanes::mul(a, a);
  Vec q = Lanes::splat(-0x1.75ddcep-8F);
  q = Lanes::fma(q, t, Lanes::splat(0x1.5225cp-6F));
  q = Lanes::fma(q, t, Lanes::splat(-0x1.b83c3ap-5F));
  q = Lanes::fma(q, t, Lanes::splat(0x1.110726p-3F));
  q = Lanes::fma(q, t, Lanes::splat(-0x1.555532p-2F));
  const Vec near = Lanes::fma(q, Lanes::mul(t, a), a);
  const Vec e = exp_of(Lanes::add(a, a));
  const Vec far = Lanes::sub(one, Lanes::div(Lanes::splat(2.0F), Lanes::add(e, one)));
  return Lanes::copy_sign(Lanes::select_less(a, Lanes::splat(0.625F), near, far), x);
}

// One struct per activation: Vec of(Vec y, Vec alpha).
struct Exp {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec) { return exp_of(y); }
};
struct Relu {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec) { return Lanes::greater_or(y, Lanes::zero()); }
};
struct Tanh {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec) { return tanh_of(y); }
};
struct Sigmoid {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec) { return sigmoid_of(y); }
};
struct Elu {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec alpha) {
    const Vec low = Lanes::mul(alpha, Lanes::sub(exp_of(y), Lanes::splat(1.0F)));
    return Lanes::select_less(Lanes::zero(), y, y, low);
  }
};
struct Silu {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec) { return Lanes::mul(y, sigmoid_of(y)); }
};
struct Gelu {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec) {
    const Vec cubic = Lanes::fma(Lanes::mul(Lanes::splat(0x1.6e4e26p-5F), Lanes::mul(y, y)), y, y);
    const Vec t = tanh_of(Lanes::mul(Lanes::splat(0x1.988454p-1F), cubic));
    return Lanes::mul(Lanes::mul(Lanes::splat(0.5F), y), Lanes::add(Lanes::splat(1.0F), t));
  }
};
struct LeakyRelu {
  static RLCOMPRESS_ALWAYS_INLINE Vec of(Vec y, Vec alpha) {
    return Lanes::select_less(Lanes::zero(), y, y, Lanes::mul(alpha, y));
  }
};

template <class Op>
void map_f32(float* y, std::size_t n, float alpha) noexcept {
  const Vec a = Lanes::splat(alpha);
  std::size_t i = 0;
  for (; i + width <= n; i += width) Lanes::store(y + i, Op::of(Lanes::load(y + i), a));
  if (i < n) Lanes::store_first(y + i, Op::of(Lanes::load_first(y + i, n - i), a), n - i);
}

void exp_f32(float* y, std::size_t n) noexcept { map_f32<Exp>(y, n, 0.0F); }

void activate_f32(Activation activation, float alpha, float* y, std::size_t n) noexcept {
  switch (activation) {
    case Activation::identity: return;
    case Activation::relu: return map_f32<Relu>(y, n, alpha);
    case Activation::tanh: return map_f32<Tanh>(y, n, alpha);
    case Activation::sigmoid: return map_f32<Sigmoid>(y, n, alpha);
    case Activation::elu: return map_f32<Elu>(y, n, alpha);
    case Activation::silu: return map_f32<Silu>(y, n, alpha);
    case Activation::gelu: return map_f32<Gelu>(y, n, alpha);
    case Activation::leaky_relu: return map_f32<LeakyRelu>(y, n, alpha);
  }
}
