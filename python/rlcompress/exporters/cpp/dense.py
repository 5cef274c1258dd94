"""C++ templates of dense sums over lanes: vectors of outputs, or of inputs where neighbours have partial sums of their
own. Loops are written out and sums stay in registers, as every size is a parameter.
"""

from __future__ import annotations

DENSE_TEMPLATES: dict[str, str] = {
    "lanes": """\
// Floats side by side in one register; plain floats where no vector unit multiplies and adds them at once.
#if defined(RLCOMPRESS_SOFT_FLOAT)
#define RLCOMPRESS_PLAIN_LANES
#elif defined(__AVX512F__) && defined(__AVX512VL__) && defined(__FMA__)
inline constexpr size_t widest = 16, vectors_in_flight = 24, most_written_out = 320;
#elif defined(__AVX__) && defined(__FMA__)
inline constexpr size_t widest = 8, vectors_in_flight = 12, most_written_out = 320;
#elif defined(__aarch64__) && defined(__ARM_NEON)
inline constexpr size_t widest = 4, vectors_in_flight = 24, most_written_out = 320;
#else
#define RLCOMPRESS_PLAIN_LANES
#endif
#if defined(RLCOMPRESS_PLAIN_LANES)
inline constexpr size_t widest = 4, vectors_in_flight = 4, most_written_out = 16;
#endif
template <size_t N>
struct Register {
#if defined(RLCOMPRESS_PLAIN_LANES)
  struct Type {
    float lane[N];
    float& operator[](size_t i) { return lane[i]; }
    float operator[](size_t i) const { return lane[i]; }
  };
#else
  typedef float Type __attribute__((vector_size(4 * N)));
#endif
};

template <size_t N>
struct Lanes {
  using Type = typename Register<N>::Type;
  template <size_t... I>
  static RLCOMPRESS_INLINE Type splat_of(float x, std::index_sequence<I...>) { return Type{((void)I, x)...}; }
  template <size_t... I, class Weight>
  static RLCOMPRESS_INLINE Type load_of(const Weight* from, std::index_sequence<I...>) {
    return Type{static_cast<float>(from[I])...};
  }
  static RLCOMPRESS_INLINE Type splat(float x) { return splat_of(x, std::make_index_sequence<N>()); }
  static RLCOMPRESS_INLINE Type first(float x) {
    Type a{};
    a[0] = x;
    return a;
  }
  template <class Weight>
  static RLCOMPRESS_INLINE Type load(const Weight* from) { return load_of(from, std::make_index_sequence<N>()); }
  static RLCOMPRESS_INLINE Type load(const float* from) {
    Type a;
    __builtin_memcpy(&a, from, sizeof a);
    return a;
  }
  static RLCOMPRESS_INLINE void store(float* to, Type a) { __builtin_memcpy(to, &a, sizeof a); }
#if defined(RLCOMPRESS_PLAIN_LANES)
#undef RLCOMPRESS_PLAIN_LANES
  static RLCOMPRESS_INLINE Type fused_add(Type a, Type b, Type c) {
    for (size_t i = 0; i < N; ++i) c[i] = fused(a[i], b[i], c[i]);
    return c;
  }
  static RLCOMPRESS_INLINE Type add(Type a, Type b) {
    for (size_t i = 0; i < N; ++i) a[i] = a[i] + b[i];
    return a;
  }
  static RLCOMPRESS_INLINE Type relu(Type a) {
    for (size_t i = 0; i < N; ++i) a[i] = a[i] > 0.0F ? a[i] : 0.0F;
    return a;
  }
#else
  static RLCOMPRESS_INLINE Type fused_add(Type a, Type b, Type c) {
#if defined(__aarch64__)
    return vfmaq_f32(c, a, b);
#else
#if defined(__AVX512VL__)
    if constexpr (N == 16) return _mm512_fmadd_ps(a, b, c);
#endif
    if constexpr (N == 8) return _mm256_fmadd_ps(a, b, c);
    if constexpr (N == 4) return _mm_fmadd_ps(a, b, c);
#endif
  }
  static RLCOMPRESS_INLINE Type add(Type a, Type b) { return a + b; }
  static RLCOMPRESS_INLINE Type relu(Type a) {
#if defined(__x86_64__) || defined(__i386__)
#if defined(__AVX512VL__)
    if constexpr (N == 16) return _mm512_maskz_max_ps(0xFFFF, a, Type{});  // NaN: the second
#endif
    if constexpr (N == 8) return _mm256_max_ps(a, Type{});
    if constexpr (N == 4) return _mm_max_ps(a, Type{});
#else
    return a > 0.0F ? a : Type{};
#endif
  }
#endif
};

template <class Step, size_t... I>
RLCOMPRESS_INLINE void each_step(const Step& step, std::index_sequence<I...>) {
  (step(I), ...);
}

// step(0), step(1), ..: written out where that makes few instructions.
template <size_t Steps, size_t Instructions, class Step>
RLCOMPRESS_INLINE void for_each_step(const Step& step) {
  if constexpr (Instructions <= most_written_out) {
    each_step(step, std::make_index_sequence<Steps>());
  } else {
#pragma GCC unroll 4
    for (size_t i = 0; i < Steps; ++i) step(i);
  }
}
""",
    "dense_columns": """\
// Outputs in lanes: Count vectors of N from output First on. The last one overlaps the one before where outputs run
// out; what both compute is the same.
template <size_t Inputs, size_t Outputs, size_t Stride, size_t Sums, bool Relu, size_t N, size_t First, size_t Count,
          class Weight>
RLCOMPRESS_INLINE void dense_panel(const Weight* w, const float* start, const float* x, float* y) {
  using L = Lanes<N>;
  const auto at = [](size_t v) { return First + v * N + N <= Outputs ? First + v * N : Outputs - N; };
  typename L::Type s[Sums][Count];
#pragma GCC unroll 32
  for (size_t v = 0; v < Count; ++v) {
    s[0][v] = start != nullptr ? L::load(start + at(v)) : L::splat(0.0F);
    if constexpr (Sums == 2) s[1][v] = L::splat(0.0F);
  }
  for_each_step<Inputs / Sums, Inputs * Count>([&](size_t i) __attribute__((always_inline)) {
#pragma GCC unroll 2
    for (size_t p = 0; p < Sums; ++p) {
      const size_t k = i * Sums + p;
      const typename L::Type value = L::splat(x[k]);
#pragma GCC unroll 32
      for (size_t v = 0; v < Count; ++v) s[p][v] = L::fused_add(L::load(w + k * Stride + at(v)), value, s[p][v]);
    }
  });
  if constexpr (Inputs % Sums != 0) {
    const typename L::Type value = L::splat(x[Inputs - 1]);
#pragma GCC unroll 32
    for (size_t v = 0; v < Count; ++v) {
      s[0][v] = L::fused_add(L::load(w + (Inputs - 1) * Stride + at(v)), value, s[0][v]);
    }
  }
#pragma GCC unroll 32
  for (size_t v = 0; v < Count; ++v) {
    if constexpr (Sums == 2) s[0][v] = L::add(s[0][v], s[1][v]);
    L::store(y + at(v), Relu ? L::relu(s[0][v]) : s[0][v]);
  }
}

// As few panels as the registers allow, of nearly the same width.
template <size_t Inputs, size_t Outputs, size_t Stride, size_t Sums, bool Relu, size_t N, size_t First, class Weight>
RLCOMPRESS_INLINE void dense_panels(const Weight* w, const float* start, const float* x, float* y) {
  constexpr size_t vectors = (Outputs - First + N - 1) / N;
  constexpr size_t most = vectors_in_flight / Sums;
  constexpr size_t panels = (vectors + most - 1) / most;
  constexpr size_t count = (vectors + panels - 1) / panels;
  dense_panel<Inputs, Outputs, Stride, Sums, Relu, N, First, count>(w, start, x, y);
  if constexpr (panels > 1) {
    dense_panels<Inputs, Outputs, Stride, Sums, Relu, N, First + count * N>(w, start, x, y);
  }
}

// Weights input by input, Stride apart. Half the widest vector where that leaves no lanes idle at small cost.
template <size_t Inputs, size_t Outputs, size_t Stride, size_t Sums, bool Relu, class Weight>
RLCOMPRESS_INLINE void dense_columns(const Weight* w, const float* start, const float* x, float* y) {
  constexpr size_t n = widest == 16 && (Outputs + 7) / 8 * Sums <= 8 ? 8 : widest;
  dense_panels<Inputs, Outputs, Stride, Sums, Relu, n, 0>(w, start, x, y);
}
""",
    "dense_rows": """\
// s[0] + s[N / 2], s[1] + s[N / 2 + 1], .. and so on down to one sum.
template <size_t N, size_t... I>
RLCOMPRESS_INLINE float halving(typename Lanes<N>::Type s, std::index_sequence<I...>) {
  if constexpr (N == 4) {
    return (s[0] + s[2]) + (s[1] + s[3]);
  } else {
    const typename Lanes<N / 2>::Type low{s[I]...}, high{s[I + N / 2]...};
    return halving<N / 2>(Lanes<N / 2>::add(low, high), std::make_index_sequence<N / 4>());
  }
}

// Inputs in lanes, as each input has its own partial sum: Count outputs, weights output by output.
template <size_t Inputs, size_t Sums, bool Relu, size_t Count, class Weight>
RLCOMPRESS_INLINE void dense_some_rows(const Weight* w, const float* start, const float* x, float* y) {
  constexpr size_t n = widest < Sums ? widest : Sums, parts = Sums / n;
  using L = Lanes<n>;
  typename L::Type s[Count][parts];
#pragma GCC unroll 8
  for (size_t r = 0; r < Count; ++r) {
#pragma GCC unroll 4
    for (size_t i = 0; i < parts; ++i) s[r][i] = L::splat(0.0F);
    if (start != nullptr) s[r][0] = L::first(start[r]);
  }
  for_each_step<Inputs / Sums, Inputs / n * Count>([&](size_t step) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (size_t i = 0; i < parts; ++i) {
      const size_t k = step * Sums + i * n;
      const typename L::Type values = L::load(x + k);
#pragma GCC unroll 8
      for (size_t r = 0; r < Count; ++r) s[r][i] = L::fused_add(L::load(w + r * Inputs + k), values, s[r][i]);
    }
  });
#pragma GCC unroll 8
  for (size_t r = 0; r < Count; ++r) {
    if constexpr (Inputs % Sums != 0) {
      float left[Sums];
      for (size_t i = 0; i < parts; ++i) L::store(left + i * n, s[r][i]);
      for (size_t k = Inputs / Sums * Sums; k < Inputs; ++k) {
        left[k % Sums] = fused(static_cast<float>(w[r * Inputs + k]), x[k], left[k % Sums]);
      }
      for (size_t i = 0; i < parts; ++i) s[r][i] = L::load(left + i * n);
    }
#pragma GCC unroll 2
    for (size_t h = parts / 2; h > 0; h /= 2) {
#pragma GCC unroll 2
      for (size_t i = 0; i < h; ++i) s[r][i] = L::add(s[r][i], s[r][i + h]);
    }
    const float sum = halving<n>(s[r][0], std::make_index_sequence<n / 2>());
    y[r] = Relu ? (sum > 0.0F ? sum : 0.0F) : sum;
  }
}

template <size_t Inputs, size_t Outputs, size_t Sums, bool Relu, class Weight>
RLCOMPRESS_INLINE void dense_rows(const Weight* w, const float* start, const float* x, float* y) {
  constexpr size_t most = widest == 16 ? 8 : 4, count = Outputs < most ? Outputs : most;
  dense_some_rows<Inputs, Sums, Relu, count>(w, start, x, y);
  if constexpr (Outputs > count) {
    const float* rest = start == nullptr ? start : start + count;
    dense_rows<Inputs, Outputs - count, Sums, Relu>(w + count * Inputs, rest, x, y + count);
  }
}
""",
}
"""Name -> text; "lanes" comes before the others."""
