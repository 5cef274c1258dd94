// Sparse matrix times few columns, in slices of 8 rows: entry e of all rows lies side by side, so that many chains go
// at once. Counts fall within a slice: at step e its first rows are still at work.

// One column: scalar chains side by side, which beat gathers by far (30 cycles for 16 lanes
// where the processor guards them). Indices are read four at a time.
void spmm_slice_chains(const SpmmCall& c, const SparseRun* runs, std::size_t present, std::size_t at) noexcept {
  constexpr unsigned R = slice_rows;
  const float* const from = c.first ? c.start : c.y;
  const std::size_t stride = c.first ? 1 : c.y_stride;
  float s[R];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) s[r] = from != nullptr ? from[runs[r].row * stride] : 0.0F;
  const std::size_t together = runs[R - 1].count;
  const float* w = c.weights + at;
  const std::uint16_t* columns = c.columns + at;
  std::size_t e = 0;
  for (; e < together; ++e, w += slice_rows, columns += slice_rows) {
    std::uint64_t four[2];
    std::memcpy(four, columns, sizeof(four));
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) {
      const std::uint64_t column = (four[r / 4] >> (16 * (r % 4))) & 0xFFFFU;
      s[r] = Lanes::fma_one(w[r], c.x[column], s[r]);
    }
  }
  for (; e < runs[0].count; ++e, w += slice_rows, columns += slice_rows) {
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r + 1 < R; ++r) {
      if (runs[r].count > e) s[r] = Lanes::fma_one(w[r], c.x[columns[r]], s[r]);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    if (r < present) c.y[runs[r].row * c.y_stride] = s[r];
  }
}

// A vector of `lanes` columns from `column` on; R rows of the slice at once.
// Stride: of x, or 0 when it is known at run time only.
template <class L, unsigned R, bool Partial, unsigned Stride>
RLCOMPRESS_ALWAYS_INLINE void spmm_slice_rows(const SpmmCall& c, const SparseRun* runs, std::size_t present,
                                              std::size_t at, std::size_t column, std::size_t lanes) {
  const float* const base = c.x + column;
  const auto get = [lanes](const float* p)
                       RLCOMPRESS_INLINE_LAMBDA { return Partial ? L::load_first(p, lanes) : L::load(p); };
  typename L::Vec s[R];
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    const std::uint32_t row = runs[r].row;  // of a run that is not present: 0
    s[r] = c.first ? (c.start != nullptr ? L::splat(c.start[row]) : L::zero()) : get(c.y + row * c.y_stride + column);
  }
  const std::size_t stride = Stride > 0 ? Stride : c.x_stride;
  const auto step = [&](unsigned r, std::size_t entry, std::uint64_t index) RLCOMPRESS_INLINE_LAMBDA {
    s[r] = L::fma(L::splat(c.weights[entry]), get(base + index * stride), s[r]);
  };
  const std::size_t together = runs[R - 1].count;
  std::size_t e = 0;
  for (; e < together; ++e, at += slice_rows) {
    std::uint64_t four[R / 4];
    std::memcpy(four, c.columns + at, sizeof(four));
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) step(r, at + r, (four[r / 4] >> (16 * (r % 4))) & 0xFFFFU);
  }
  for (; e < runs[0].count; ++e, at += slice_rows) {
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r + 1 < R; ++r) {
      if (runs[r].count > e) step(r, at + r, c.columns[at + r]);
    }
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < R; ++r) {
    if (r >= present) continue;
    float* const y = c.y + runs[r].row * c.y_stride + column;
    if (Partial) {
      L::store_first(y, s[r], lanes);
    } else {
      L::store(y, s[r]);
    }
  }
}

template <class L, bool Partial, unsigned Stride>
void spmm_slice_columns(const SpmmCall& c, std::size_t run, std::size_t at, std::size_t column) noexcept {
  const std::size_t lanes = Partial ? c.n - column : L::width;
  spmm_slice_rows<L, slice_rows, Partial, Stride>(c, c.runs + run, c.run_count - run, at, column, lanes);
}

template <class L, unsigned Stride>
void spmm_slice_panels(const SpmmCall& c, std::size_t run, std::size_t at) noexcept {
  std::size_t column = 0;
  for (; column + L::width <= c.n; column += L::width) spmm_slice_columns<L, false, Stride>(c, run, at, column);
  if (column < c.n) spmm_slice_columns<L, true, Stride>(c, run, at, column);
}

void spmm_slices_f32(const SpmmCall& c) noexcept {
  std::size_t at = 0;
  for (std::size_t run = 0; run < c.run_count; run += slice_rows) {
    if (c.n == 1) {
      spmm_slice_chains(c, c.runs + run, c.run_count - run, at);
    } else if (c.n == 8 && c.x_stride == 8) {
      spmm_slice_panels<NarrowLanes, 8>(c, run, at);
    } else if (c.n <= NarrowLanes::width) {
      spmm_slice_panels<NarrowLanes, 0>(c, run, at);
    } else {
      spmm_slice_panels<Lanes, 0>(c, run, at);
    }
    at += c.runs[run].count * slice_rows;
  }
}
