// Sparse matrix times dense columns, entries row after row. Accumulators = R rows x V vectors of columns; an element is
// one chain of fused multiply-adds in index order, whatever R and V.

// Vectors of one row's columns that are in registers together; a power of two.
constexpr unsigned spmm_vectors = width == 4 ? 16 : 8;

// R runs from `run` on, whose entries start at `at`. With Partial the last vector holds `last` columns.
template <unsigned R, unsigned V, bool Partial>
RLCOMPRESS_ALWAYS_INLINE std::size_t spmm_row_group(const SpmmCall& c, std::size_t run, std::size_t at,
                                                    std::size_t column, std::size_t last) {
  const SparseRun* const runs = c.runs + run;
  const auto get = [last](const float* p, unsigned v) RLCOMPRESS_INLINE_LAMBDA {
    return Partial && v + 1 == V ? Lanes::load_first(p + v * width, last) : Lanes::load(p + v * width);
  };
  Vec s[R][V];
  std::size_t from[R];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    from[r] = at;
    at += runs[r].count;
    const float* y = c.y + runs[r].row * c.y_stride + column;
    RLCOMPRESS_ONE_REGISTER(y);
    const Vec start = c.first && c.start != nullptr ? Lanes::splat(c.start[runs[r].row]) : Lanes::zero();
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[r][v] = c.first ? start : get(y, v);
  }
  const float* const base = c.x + column;
  const auto step = [&](unsigned r, std::size_t entry) RLCOMPRESS_INLINE_LAMBDA {
    const float* x = base + c.columns[entry] * c.x_stride;
    RLCOMPRESS_ONE_REGISTER(x);
    const Vec w = Lanes::splat(c.weights[entry]);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[r][v] = Lanes::fma(w, get(x, v), s[r][v]);
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
    float* y = c.y + runs[r].row * c.y_stride + column;
    RLCOMPRESS_ONE_REGISTER(y);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) {
      if (Partial && v + 1 == V) {
        Lanes::store_first(y + v * width, s[r][v], last);
      } else {
        Lanes::store(y + v * width, s[r][v]);
      }
    }
  }
  return at;
}

template <unsigned V, bool Partial>
void spmm_row_columns(const SpmmCall& c, std::size_t column, std::size_t last) noexcept {
  constexpr unsigned R = spmm_vectors / V;
  std::size_t at = 0;
  std::size_t run = 0;
  for (; run + R <= c.run_count; run += R) at = spmm_row_group<R, V, Partial>(c, run, at, column, last);
  for (; run < c.run_count; ++run) at = spmm_row_group<1, V, Partial>(c, run, at, column, last);
}

template <unsigned V>
void spmm_row_panels(const SpmmCall& c, std::size_t column) noexcept {
  constexpr std::size_t most = V * width;
  for (; column + most <= c.n; column += most) spmm_row_columns<V, false>(c, column, width);
  const std::size_t left = c.n - column;
  if (left > most - width) {
    spmm_row_columns<V, true>(c, column, left - (most - width));
  } else if constexpr (V > 1) {
    if (left > 0) spmm_row_panels<V / 2>(c, column);
  }
}

void spmm_rows_f32(const SpmmCall& c) noexcept { spmm_row_panels<spmm_vectors>(c, 0); }
