// Updates of kept weights, element by element.

template <class Op>
RLCOMPRESS_ALWAYS_INLINE void each_of(const Op& op, std::size_t n) {
  std::size_t i = 0;
  for (; i + width <= n; i += width) op(i, width);
  if (i < n) op(i, n - i);
}

void sgd_f32(float* w, const float* gradient, float* velocity, std::size_t n, float rate, float momentum) noexcept {
  const auto update = [=](std::size_t i, std::size_t left) RLCOMPRESS_INLINE_LAMBDA {
    Vec v = Lanes::load_first(gradient + i, left);
    if (velocity != nullptr) {
      v = Lanes::fma(Lanes::splat(momentum), Lanes::load_first(velocity + i, left), v);
      Lanes::store_first(velocity + i, v, left);
    }
    Lanes::store_first(w + i, Lanes::fma(Lanes::splat(-rate), v, Lanes::load_first(w + i, left)), left);
  };
  each_of(update, n);
}

void adam_f32(const AdamCall& c) noexcept {
  const auto update = [&c](std::size_t i, std::size_t left) RLCOMPRESS_INLINE_LAMBDA {
    const Vec g = Lanes::load_first(c.gradient + i, left);
    Vec m = Lanes::load_first(c.mean + i, left);
    Vec v = Lanes::mul(Lanes::splat(c.beta2), Lanes::load_first(c.square + i, left));
    m = Lanes::fma(Lanes::splat(1.0F - c.beta1), Lanes::sub(g, m), m);
    v = Lanes::fma(Lanes::splat(1.0F - c.beta2), Lanes::mul(g, g), v);
    Lanes::store_first(c.mean + i, m, left);
    Lanes::store_first(c.square + i, v, left);
    const Vec below = Lanes::fma(Lanes::sqrt(v), Lanes::splat(c.correction), Lanes::splat(c.epsilon));
    const Vec w = Lanes::load_first(c.w + i, left);
    Lanes::store_first(c.w + i, Lanes::fma(Lanes::splat(-c.rate), Lanes::div(m, below), w), left);
  };
  each_of(update, c.n);
}
