// The gradient of a sparse matrix's weights, where it has entries: per entry 16 partial sums over the columns (column b
// goes to sum b mod 16, rising, fused, from +0), then the tree s[i] + s[i + h] for h = 8, 4, 2, 1.

// Whether a row's part of dy, a tile wide, stays in registers.
constexpr bool sddmm_holds = sddmm_tile / width * 2 <= Lanes::accumulators;

// The first levels of a sum's tree, down to one vector.
template <std::size_t N>
RLCOMPRESS_ALWAYS_INLINE Vec tree_to_one(Vec (&s)[N]) {
  RLCOMPRESS_UNROLL
  for (std::size_t h = N / 2; h > 0; h /= 2) {
    RLCOMPRESS_UNROLL
    for (std::size_t i = 0; i < h; ++i) s[i] = Lanes::add(s[i], s[i + h]);
  }
  return s[0];
}

// An entry's sum but for the last levels of its tree.
template <class Row>
RLCOMPRESS_ALWAYS_INLINE Vec sddmm_entry(const float* x, const Row& dy, std::size_t n) {
  constexpr std::size_t N = 16 / width;
  Vec s[N];
  RLCOMPRESS_UNROLL
  for (std::size_t i = 0; i < N; ++i) s[i] = Lanes::zero();
  const auto step = [&](std::size_t b) RLCOMPRESS_INLINE_LAMBDA {
    RLCOMPRESS_UNROLL
    for (std::size_t i = 0; i < N; ++i) s[i] = Lanes::fma(dy(b + i * width), Lanes::load(x + b + i * width), s[i]);
  };
  if constexpr (sddmm_holds) {
    RLCOMPRESS_UNROLL
    for (std::size_t b = 0; b < n; b += 16) step(b);
  } else {
    for (std::size_t b = 0; b < n; b += 16) step(b);
  }
  return tree_to_one(s);
}

// The last levels of as many entries' trees as a vector has lanes: together they share their shuffles.
struct SddmmTrees {
  const SddmmCall& c;
  std::size_t at = 0;
  Vec s[width];

  explicit SddmmTrees(const SddmmCall& call) : c(call) {
    for (Vec& one : s) one = Lanes::zero();
  }
  RLCOMPRESS_ALWAYS_INLINE void put(Vec one) {
    s[at % width] = one;
    if (++at % width == 0) sum(at - width, width);
  }
  RLCOMPRESS_ALWAYS_INLINE void sum(std::size_t first, std::size_t count) {
    float* const to = c.gradient + first;
    const Vec sums = Lanes::sums_halving(s);
    Lanes::store_first(to, c.add ? Lanes::add(Lanes::load_first(to, count), sums) : sums, count);
  }
};

RLCOMPRESS_ALWAYS_INLINE void sddmm_run(const SddmmCall& c, const SparseRun& run, SddmmTrees& trees) {
  const float* const dy = c.dy + run.row * c.stride;
  const std::uint16_t* const columns = c.columns + trees.at;
  const auto all = [&](const auto& row, std::size_t n) RLCOMPRESS_INLINE_LAMBDA {
    for (std::size_t e = 0; e < run.count; ++e) {
      const float* x = c.x + columns[e] * c.stride;
      RLCOMPRESS_ONE_REGISTER(x);
      trees.put(sddmm_entry(x, row, n));
    }
  };
  const auto read = [dy](std::size_t b) RLCOMPRESS_INLINE_LAMBDA { return Lanes::load(dy + b); };
  if (c.n != sddmm_tile) {
    all(read, c.n);
  } else {
    all(read, sddmm_tile);
  }
}

// N entries of one row over a whole tile. Row and sums stay in registers: stores in between would hold up loads that
// lie at the same place of another page.
template <std::size_t N>
void sddmm_entries(const SddmmCall& c, const float* dy, const std::uint16_t* columns, float* to) noexcept {
  Vec row[sddmm_tile / width];
  RLCOMPRESS_UNROLL
  for (std::size_t i = 0; i < sddmm_tile / width; ++i) row[i] = Lanes::load(dy + i * width);
  const auto held = [&row](std::size_t b) RLCOMPRESS_INLINE_LAMBDA { return row[b / width]; };
  Vec s[width];
  RLCOMPRESS_UNROLL
  for (std::size_t e = 0; e < width; ++e) {
    s[e] = Lanes::zero();
    if (e >= N) continue;
    const float* x = c.x + columns[e] * c.stride;
    RLCOMPRESS_ONE_REGISTER(x);
    s[e] = sddmm_entry(x, held, sddmm_tile);
  }
  const Vec sums = Lanes::sums_halving(s);
  Lanes::store_first(to, c.add ? Lanes::add(Lanes::load_first(to, N), sums) : sums, N);
}

using SddmmEntries = void (*)(const SddmmCall&, const float*, const std::uint16_t*, float*) noexcept;

template <class Counts>
struct SddmmByCount;

template <std::size_t... N>
struct SddmmByCount<std::index_sequence<N...>> {
  static constexpr SddmmEntries of[] = {sddmm_entries<N + 1>...};
};

// Runs are sorted by their counts, so that the processor foresees which function is next.
RLCOMPRESS_ALWAYS_INLINE void sddmm_whole_tile(const SddmmCall& c) {
  const std::uint16_t* columns = c.columns;
  float* to = c.gradient;
  constexpr std::size_t line = 64 / sizeof(float);
  const std::size_t share = c.ahead_floats / (c.run_count + 1) + line;  // of what is ahead, for each run
  std::size_t fetched = 0;
  for (std::size_t run = 0; run < c.run_count; ++run) {
    for (; fetched < c.ahead_floats && fetched < share * (run + 1); fetched += line) {
      __builtin_prefetch(c.ahead + fetched, 0, 2);
    }
    const float* const dy = c.dy + c.runs[run].row * c.stride;
    for (std::size_t left = c.runs[run].count; left > 0;) {
      const std::size_t count = left < width ? left : width;
      SddmmByCount<std::make_index_sequence<width>>::of[count - 1](c, dy, columns, to);
      columns += count;
      to += count;
      left -= count;
    }
  }
}

void sddmm_rows_f32(const SddmmCall& c) noexcept {
  if constexpr (sddmm_holds) {
    if (c.n == sddmm_tile) return sddmm_whole_tile(c);
  }
  SddmmTrees trees(c);
  for (std::size_t run = 0; run < c.run_count; ++run) sddmm_run(c, c.runs[run], trees);
  if (trees.at % width > 0) trees.sum(trees.at - trees.at % width, trees.at % width);
}
