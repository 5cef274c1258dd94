// The two ends of a network: normalisation of the observation, and the elementwise action heads.

RLCOMPRESS_ALWAYS_INLINE Vec canonical(Vec y) { return Lanes::select_nan(y, Lanes::quiet_nan(), y); }

struct Normalise {
  using Call = NormaliseCall;
  static RLCOMPRESS_ALWAYS_INLINE Vec of(const Call& c, std::size_t i, std::size_t n) {
    const Vec x = Lanes::div(Lanes::sub(Lanes::load_first(c.x + i, n), Lanes::load_first(c.mean + i, n)),
                             Lanes::load_first(c.scale + i, n));
    return clamp(x, Lanes::splat(-c.clip), Lanes::splat(c.clip));
  }
};

struct Raw {
  using Call = HeadCall;
  static RLCOMPRESS_ALWAYS_INLINE Vec of(const Call& c, std::size_t i, std::size_t n) {
    return canonical(Lanes::load_first(c.y + i, n));
  }
};

template <bool Squashed>
struct Bounded {
  using Call = HeadCall;
  static RLCOMPRESS_ALWAYS_INLINE Vec of(const Call& c, std::size_t i, std::size_t n) {
    Vec y = clamp(Lanes::load_first(c.y + i, n), Lanes::load_first(c.low + i, n), Lanes::load_first(c.high + i, n));
    if (Squashed) y = tanh_of(y);
    return canonical(Lanes::fma(y, Lanes::load_first(c.scale + i, n), Lanes::load_first(c.offset + i, n)));
  }
};

template <class Op>
RLCOMPRESS_ALWAYS_INLINE void each(const typename Op::Call& c, float* out, std::size_t n) {
  for (std::size_t i = 0; i < n; i += width) {
    const std::size_t left = n - i < width ? n - i : width;
    Lanes::store_first(out + i, Op::of(c, i, left), left);
  }
}

void normalise_f32(const NormaliseCall& c) noexcept { each<Normalise>(c, c.y, c.inputs); }
void head_raw_f32(const HeadCall& c) noexcept { each<Raw>(c, c.action, c.outputs); }
void head_clip_f32(const HeadCall& c) noexcept { each<Bounded<false>>(c, c.action, c.outputs); }
void head_squash_f32(const HeadCall& c) noexcept { each<Bounded<true>>(c, c.action, c.outputs); }
