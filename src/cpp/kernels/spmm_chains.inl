// Slices times one column, a panel (narrow): each row is one chain in a vector of its own, of which one lane counts. So
// weights come in whole vectors, nothing takes them apart, and nothing puts together what is read of x, as gathers do
// at 30 cycles for 16 lanes where the processor guards them.

// Indices of slices are offsets in bytes into x of one column.
RLCOMPRESS_ALWAYS_INLINE const float* slice_value(const float* x, std::uint64_t offset, std::size_t stride) {
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(x) + offset * stride);
}

// S slices at once, whose entries start at `at`. All rows of a slice have as many steps: those of the filling meet the
// panel's +0.
template <class L, unsigned S>
RLCOMPRESS_ALWAYS_INLINE std::size_t spmm_chain_group(const SpmmCall& c, std::size_t run, std::size_t at) {
  constexpr unsigned R = slice_rows;
  const SparseRun* const runs = c.runs + run;
  const float* const from = c.first ? c.start : c.y;
  typename L::Vec s[S][R];
  std::size_t entry[S];
  RLCOMPRESS_UNROLL
  for (unsigned i = 0; i < S; ++i) {
    entry[i] = at;
    at += runs[i * R].count * R;
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) {  // of a run that is not present: row 0
      s[i][r] = from != nullptr ? L::splat(from[runs[i * R + r].row]) : L::zero();
    }
  }
  const auto step = [&](unsigned i, std::size_t e) RLCOMPRESS_INLINE_LAMBDA {
    std::uint64_t four[R / 4];  // fewer loads than one for each index
    std::memcpy(four, c.columns + entry[i] + e * R, sizeof(four));
    typename L::Vec w[R / L::width];
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < R / L::width; ++v) w[v] = L::load(c.weights + entry[i] + e * R + v * L::width);
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) {
      const float* const x = slice_value(c.x, index_of_four(four[r / 4], r % 4), 1);
      s[i][r] = L::fma(w[r / L::width], L::splat(*x), s[i][r]);
    }
  };
  const std::size_t together = runs[(S - 1) * R].count;
  std::size_t e = 0;
  for (; e < together; ++e) {
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < S; ++i) step(i, e);
  }
  RLCOMPRESS_UNROLL
  for (unsigned i = 0; i + 1 < S; ++i) {
    for (std::size_t rest = e; rest < runs[i * R].count; ++rest) step(i, rest);
  }
  RLCOMPRESS_UNROLL
  for (unsigned i = 0; i < S * R; ++i) {
    float lanes[L::width];
    L::store(lanes, s[i / R][i % R]);
    if (run + i < c.run_count) c.y[runs[i].row] = lanes[i % L::width];
  }
  return at;
}

template <class L>
void spmm_chains(const SpmmCall& c) noexcept {
  constexpr unsigned S = L::width < Lanes::width ? 2 : 1;  // two where there are registers: AVX-512 alone
  std::size_t at = 0;
  std::size_t run = 0;
  for (; run + (S - 1) * slice_rows < c.run_count; run += S * slice_rows) at = spmm_chain_group<L, S>(c, run, at);
  if (run < c.run_count) spmm_chain_group<L, 1>(c, run, at);
}
