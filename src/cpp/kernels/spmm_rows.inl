// Sparse matrix times dense columns, entries row after row. Accumulators = R rows x V vectors of columns; an element is
// one chain of fused multiply-adds in index order, whatever R and V.

// Vectors of one row's columns that are in registers together, and those of all rows in work; powers of two.
constexpr unsigned spmm_sums = width == 4 ? 16 : 8;
constexpr unsigned spmm_vectors = width == 16 ? 4 : spmm_sums;

// Of four column indices in one register.
RLCOMPRESS_ALWAYS_INLINE std::uint64_t index_of_four(std::uint64_t indices, unsigned i) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  i = 3 - i;
#endif
  return (indices >> (16 * i)) & 0xFFFFU;
}

// R runs from `run` on, whose entries start at `at`. With Partial the last vector holds `last` columns.
// Stride: of x, or 0 when it is known at run time only.
template <unsigned R, unsigned V, bool Partial, std::size_t Stride>
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
    if (run + R + r >= c.run_count) continue;
    const float* const next = c.y + runs[R + r].row * c.y_stride + column;
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) __builtin_prefetch(next + v * width, 1);
  }
  const float* const base = c.x + column;
  const std::size_t stride = Stride > 0 ? Stride : c.x_stride;
  const auto step = [&](unsigned r, Vec w, std::uint64_t index) RLCOMPRESS_INLINE_LAMBDA {
    const float* x = base + index * stride;
    RLCOMPRESS_ONE_REGISTER(x);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) s[r][v] = Lanes::fma(w, get(x, v), s[r][v]);
  };
  // Four entries at a time: what is read beside x costs as much as x does.
  const auto four_steps = [&](unsigned r, std::size_t entry) RLCOMPRESS_INLINE_LAMBDA {
    std::uint64_t indices;
    std::memcpy(&indices, c.columns + entry, sizeof(indices));
    Vec w[4];
    Lanes::splat_each(c.weights + entry, w);
    RLCOMPRESS_UNROLL
    for (unsigned i = 0; i < 4; ++i) step(r, w[i], index_of_four(indices, i));
  };
  std::size_t together = runs[0].count;
  RLCOMPRESS_UNROLL
  for (unsigned r = 1; r < R; ++r) together = runs[r].count < together ? runs[r].count : together;
  std::size_t done = 0;
  for (; done + 4 <= together; done += 4) {
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) four_steps(r, from[r] + done);
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    for (std::size_t e = from[r] + done; e < from[r] + runs[r].count; ++e) {
      step(r, Lanes::splat(c.weights[e]), c.columns[e]);
    }
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

template <unsigned V, bool Partial, std::size_t Stride>
void spmm_row_columns(const SpmmCall& c, std::size_t column, std::size_t last) noexcept {
  constexpr unsigned R = spmm_sums / V;
  std::size_t at = 0;
  std::size_t run = 0;
  for (; run + R <= c.run_count; run += R) at = spmm_row_group<R, V, Partial, Stride>(c, run, at, column, last);
  for (; run < c.run_count; ++run) at = spmm_row_group<1, V, Partial, Stride>(c, run, at, column, last);
}

template <unsigned V>
void spmm_row_panels(const SpmmCall& c, std::size_t column) noexcept {
  constexpr std::size_t most = V * width;
  for (; column + most <= c.n; column += most) spmm_row_columns<V, false, 0>(c, column, width);
  const std::size_t left = c.n - column;
  if (left > most - width) {
    spmm_row_columns<V, true, 0>(c, column, left - (most - width));
  } else if constexpr (V > 1) {
    if (left > 0) spmm_row_panels<V / 2>(c, column);
  }
}

void spmm_rows_f32(const SpmmCall& c) noexcept {
  constexpr std::size_t most = spmm_vectors * width;
  if (c.n == most && c.x_stride == most) return spmm_row_columns<spmm_vectors, false, most>(c, 0, width);
  spmm_row_panels<spmm_vectors>(c, 0);
}
