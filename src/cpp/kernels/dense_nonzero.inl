// Dense layers of one partial sum at batch 1: the weights of inputs that are zero, about half behind a relu, are not
// read. Only for layers with a relu of their own: what an input of zero adds is the sign of a zero at most (after a
// product that underflowed), which the relu drops. The sums are in memory, where y will be.

// Inputs whose places are known at a time.
constexpr std::size_t place_block = 256;
constexpr unsigned rows_together = 4;

struct Places {
  alignas(64) std::uint32_t of[place_block + most_lanes];
  std::size_t count;
};

// Where x[0..n) is not zero, n <= place_block; NaN is not.
template <class L>
RLCOMPRESS_ALWAYS_INLINE void find_nonzero(const float* x, std::size_t n, Places& found) {
  std::size_t count = 0;
  std::size_t k = 0;
  if constexpr (L::finds_nonzero) {
    for (; k + width <= n; k += width) {
      count += L::store_places_of_nonzero(found.of + count, static_cast<std::uint32_t>(k), L::load(x + k));
    }
  }
  for (; k < n; ++k) {
    found.of[count] = static_cast<std::uint32_t>(k);
    count += x[k] != 0.0F ? 1 : 0;
  }
  for (unsigned r = 0; r < rows_together; ++r) found.of[count + r] = 0;  // is prefetched
  found.count = count;
}

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

// False, with nothing done, where too few inputs are zero for it.
template <class Stream>
bool dense_nonzero(const Stream& w, const DenseCall& c) noexcept {
  Places found;
  std::size_t n = c.inputs < place_block ? c.inputs : place_block;
  find_nonzero<Lanes>(c.x, n, found);
  if (4 * found.count > 3 * n) return false;
  for (std::size_t j = 0; j < c.outputs; j += width) {
    const std::size_t left = c.outputs - j < width ? c.outputs - j : width;
    Lanes::store(c.y + j, c.start != nullptr ? Lanes::load_first(c.start + j, left) : Lanes::zero());
  }
  for (std::size_t k = 0; k < c.inputs; k += n) {
    if (k > 0) {
      if (c.inputs - k < n) n = c.inputs - k;
      find_nonzero<Lanes>(c.x + k, n, found);
    }
    std::size_t i = 0;
    for (; i + rows_together <= found.count; i += rows_together) add_rows<rows_together>(w, c, k, found.of + i);
    for (; i < found.count; ++i) add_rows<1>(w, c, k, found.of + i);
  }
  for (std::size_t j = 0; c.relu && j < c.outputs; j += width) {
    Lanes::store(c.y + j, Lanes::greater_or(Lanes::load(c.y + j), Lanes::zero()));
  }
  return true;
}

// Where weights wait for a cache, or each costs much arithmetic, what is left out pays for finding the zeros.
template <class Stream>
RLCOMPRESS_ALWAYS_INLINE bool may_skip_zeros(const DenseCall& c) {
  const bool dear = width == 1 || !std::is_same_v<Stream, FloatStream>;
  return c.relu_follows && (dear ? c.inputs >= 32 : 4 * c.inputs * c.stride >= beyond_first_cache);
}
