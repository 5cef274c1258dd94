// Dense layers at batch 1: the weights of inputs that are zero are not read. Only for layers with a relu of their own:
// what an input of zero adds is the sign of a zero at most (after a product that underflowed), which the relu drops.

constexpr unsigned rows_together = 4;

// All outputs of the R inputs from `first` on whose places begin at `of`; the rows of the next ones are prefetched.
template <unsigned R, class Stream>
RLCOMPRESS_ALWAYS_INLINE void add_rows(const Stream& w, const DenseCall& c, std::size_t first,
                                       const std::uint32_t* of) {
  constexpr unsigned V = (2 * Stream::accumulators + 2) / 3;
  std::size_t row[R];
  std::size_t next[R];
  Vec value[R];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    row[r] = c.first + (first + of[r]) * c.stride;
    next[r] = c.first + (first + of[R + r]) * c.stride;
    value[r] = Lanes::splat(c.x[first + of[r]]);
  }
  std::size_t j = 0;
  for (; j + V * width <= c.outputs; j += V * width) {
    Vec s[V];
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[v] = Lanes::load(c.y + j + v * width);
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) {
      w.prefetch(next[r] + j, V * width);
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) s[v] = Lanes::fma(w.load(row[r] + j + v * width), value[r], s[v]);
    }
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) Lanes::store(c.y + j + v * width, s[v]);
  }
  for (; j < c.outputs; j += width) {
    const std::size_t left = c.outputs - j < width ? c.outputs - j : width;
    Vec s = Lanes::load(c.y + j);
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) s = Lanes::fma(w.load_first(row[r] + j, left), value[r], s);
    Lanes::store(c.y + j, s);
  }
}

// One partial sum, in memory, where y will be.
template <class Stream>
void dense_nonzero(const Stream& w, const DenseCall& c) noexcept {
  for (std::size_t j = 0; j < c.outputs; j += width) {
    const std::size_t left = c.outputs - j < width ? c.outputs - j : width;
    Lanes::store(c.y + j, c.start != nullptr ? Lanes::load_first(c.start + j, left) : Lanes::zero());
  }
  Places found;
  for (std::size_t k = 0; k < c.inputs; k += place_block) {
    find_nonzero<Lanes>(c.x + k, c.inputs - k < place_block ? c.inputs - k : place_block, found);
    for (unsigned r = 0; r < rows_together; ++r) found.of[found.count + r] = 0;  // is prefetched
    std::size_t i = 0;
    for (; i + rows_together <= found.count; i += rows_together) add_rows<rows_together>(w, c, k, found.of + i);
    for (; i < found.count; ++i) add_rows<1>(w, c, k, found.of + i);
  }
  for (std::size_t j = 0; c.relu && j < c.outputs; j += width) {
    Lanes::store(c.y + j, Lanes::greater_or(Lanes::load(c.y + j), Lanes::zero()));
  }
}

// In place of EveryInput. Of two partial sums each gets an input at a time; where one has no more, a zero.
struct NonzeroInputs {
  static constexpr std::size_t block = 64;
  static constexpr std::size_t most = 8 * block;
  std::uint64_t bits[most / block];

  RLCOMPRESS_ALWAYS_INLINE explicit NonzeroInputs(const DenseCall& c) {
    for (std::size_t k = 0; k < c.inputs; k += block) {
      bits[k / block] = nonzero_bits<Lanes>(c.x + k, c.inputs - k < block ? c.inputs - k : block);
    }
  }

  template <unsigned P, class Step>
  RLCOMPRESS_ALWAYS_INLINE void each(const DenseCall& c, const Step& step) const {
    static_assert(P <= 2, "one or two partial sums");
    static constexpr float zero = 0.0F;
    static constexpr std::uint64_t all = ~std::uint64_t{0};
    for (std::size_t k = 0; k < c.inputs; k += block) {
      std::uint64_t left[2] = {bits[k / block] & (P == 1 ? all : all / 3),
                               bits[k / block] & (P == 1 ? 0 : all / 3 * 2)};
      const int evens = __builtin_popcountll(left[0]);
      const int odds = __builtin_popcountll(left[1]);
      for (int i = evens > odds ? evens : odds; i > 0; --i) {
        for_each_index(std::make_integer_sequence<unsigned, P>(), [&](auto p) RLCOMPRESS_INLINE_LAMBDA {
          const bool found = P == 1 || left[p] != 0;
          const std::size_t at = k + (found ? static_cast<unsigned>(__builtin_ctzll(left[p])) : 0);
          const float* const x = found ? c.x + at : &zero;
          step(p, *x, c.first + at * c.stride);
          left[p] &= left[p] - 1;
        });
      }
    }
  }
};

template <unsigned P, class Stream>
void dense_nonzero_columns(const Stream& w, const DenseCall& c) noexcept {
  dense_columns<P>(w, c, NonzeroInputs(c));
}

// What is left out must be worth more than finding the zeros.
RLCOMPRESS_ALWAYS_INLINE bool skips_zeros(const DenseCall& c) {
  constexpr std::size_t least_weights = width == 16 ? 8192 : 1024;
  if (!c.relu_follows || c.inputs < 32 || c.inputs * c.outputs < least_weights) return false;
  const std::size_t seen = c.inputs < place_block ? c.inputs : place_block;
  return 4 * count_nonzero<Lanes>(c.x, seen) < 3 * seen;
}

// Whether the layer, of P partial sums, was one of these.
template <unsigned P, class Stream>
RLCOMPRESS_ALWAYS_INLINE bool dense_without_zeros([[maybe_unused]] const Stream& w,
                                                  [[maybe_unused]] const DenseCall& c) {
  if constexpr (leaves_out_zeros) {
    const bool few_inputs = c.inputs <= NonzeroInputs::most;
    if ((P == 2 && !few_inputs) || !skips_zeros(c)) return false;
    if constexpr (P == 2) return dense_nonzero_columns<2>(w, c), true;
    if constexpr (std::is_same_v<Stream, FloatStream>) {
      // Sums in registers take fewer instructions, but wait longer for weights from beyond the first cache.
      const bool near = 4 * c.inputs * c.stride < 4 * beyond_first_cache && c.outputs <= Lanes::accumulators * width;
      if (few_inputs && near) return dense_nonzero_columns<1>(w, c), true;
    }
    if constexpr (P == 1) return dense_nonzero(w, c), true;
  }
  return false;
}
