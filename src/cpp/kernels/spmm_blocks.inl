// Sparse matrix of whole blocks of 16 outputs that share an input: a block is 16 weights and one index. For one column
// the outputs are the lanes; for more, the weights are broadcast against one load of x. A run is a group of 16 outputs.

constexpr unsigned block_vectors = block_rows / static_cast<unsigned>(width);

// Outputs of a group of 16 that exist, from the `first` of them on.
RLCOMPRESS_ALWAYS_INLINE std::size_t block_outputs(const SpmmCall& c, const SparseRun& run, std::size_t first,
                                                   std::size_t most) {
  const std::size_t row = run.row * block_rows + first;
  if (row >= c.outputs) return 0;
  return c.outputs - row < most ? c.outputs - row : most;
}

// R groups, one column that lies in one piece.
template <unsigned R>
RLCOMPRESS_ALWAYS_INLINE std::size_t spmm_block_group(const SpmmCall& c, const SparseRun* runs, std::size_t at) {
  Vec s[R][block_vectors];
  std::size_t from[R];
  const float* const before = c.first ? c.start : c.y;
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    from[r] = at;
    at += runs[r].count;
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < block_vectors; ++v) {
      const std::size_t lanes = block_outputs(c, runs[r], v * width, width);
      s[r][v] = Lanes::zero();
      if (before == nullptr || lanes == 0) continue;
      s[r][v] = Lanes::load_first(before + runs[r].row * block_rows + v * width, lanes);
    }
  }
  const auto step = [&](unsigned r, std::size_t entry) RLCOMPRESS_INLINE_LAMBDA {
    const Vec x = Lanes::splat(c.x[c.columns[entry]]);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < block_vectors; ++v) {
      s[r][v] = Lanes::fma(Lanes::load(c.weights + entry * block_rows + v * width), x, s[r][v]);
    }
  };
  std::size_t together = runs[0].count;
  RLCOMPRESS_UNROLL
  for (unsigned r = 1; r < R; ++r) together = runs[r].count < together ? runs[r].count : together;
  for (std::size_t e = 0; e < together; ++e) {
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) step(r, from[r] + e);
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    for (std::size_t e = together; e < runs[r].count; ++e) step(r, from[r] + e);
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < block_vectors; ++v) {
      const std::size_t lanes = block_outputs(c, runs[r], v * width, width);
      if (lanes > 0) Lanes::store_first(c.y + runs[r].row * block_rows + v * width, s[r][v], lanes);
    }
  }
  return at;
}

void spmm_block_vector(const SpmmCall& c) noexcept {
  constexpr unsigned R = spmm_sums / block_vectors > 1 ? spmm_sums / block_vectors : 1;
  std::size_t at = 0;
  std::size_t run = 0;
  for (; run + R <= c.run_count; run += R) at = spmm_block_group<R>(c, c.runs + run, at);
  for (; run < c.run_count; ++run) at = spmm_block_group<1>(c, c.runs + run, at);
}

// Eight outputs of a group, V vectors of columns; with Partial the last holds `last` columns.
template <unsigned V, bool Partial>
RLCOMPRESS_ALWAYS_INLINE void spmm_block_outputs(const SpmmCall& c, const SparseRun& run, unsigned half, std::size_t at,
                                                 std::size_t column, std::size_t last) {
  const auto get = [last](const float* p, unsigned v) RLCOMPRESS_INLINE_LAMBDA {
    return Partial && v + 1 == V ? Lanes::load_first(p + v * width, last) : Lanes::load(p + v * width);
  };
  const std::size_t present = block_outputs(c, run, half, 8);
  const std::size_t row = run.row * block_rows + half;
  Vec s[8][V];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < 8; ++r) {
    const Vec start = c.first && c.start != nullptr && r < present ? Lanes::splat(c.start[row + r]) : Lanes::zero();
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) {
      s[r][v] = c.first || r >= present ? start : get(c.y + (row + r) * c.y_stride + column, v);
    }
  }
  for (std::size_t e = at; e < at + run.count; ++e) {
    const float* const p = c.x + c.columns[e] * c.x_stride + column;
    Vec x[V];
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) x[v] = get(p, v);
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < 8; ++r) {
      const Vec w = Lanes::splat(c.weights[e * block_rows + half + r]);
      RLCOMPRESS_UNROLL
      for (unsigned v = 0; v < V; ++v) s[r][v] = Lanes::fma(w, x[v], s[r][v]);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < 8; ++r) {
    if (r >= present) continue;
    float* const y = c.y + (row + r) * c.y_stride + column;
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) {
      if (Partial && v + 1 == V) {
        Lanes::store_first(y + v * width, s[r][v], last);
      } else {
        Lanes::store(y + v * width, s[r][v]);
      }
    }
  }
}

template <unsigned V, bool Partial>
void spmm_block_columns(const SpmmCall& c, std::size_t column, std::size_t last) noexcept {
  std::size_t at = 0;
  for (std::size_t run = 0; run < c.run_count; at += c.runs[run++].count) {
    spmm_block_outputs<V, Partial>(c, c.runs[run], 0, at, column, last);
    spmm_block_outputs<V, Partial>(c, c.runs[run], 8, at, column, last);
  }
}

void spmm_blocks_f32(const SpmmCall& c) noexcept {
  if (c.n == 1 && c.x_stride == 1 && c.y_stride == 1) return spmm_block_vector(c);
  constexpr unsigned V = width == 16 ? 2 : 1;  // 16 accumulators where there are 32 registers of that width
  std::size_t column = 0;
  for (; column + V * width <= c.n; column += V * width) spmm_block_columns<V, false>(c, column, width);
  for (; column + width <= c.n; column += width) spmm_block_columns<1, false>(c, column, width);
  if (column < c.n) spmm_block_columns<1, true>(c, column, c.n - column);
}
