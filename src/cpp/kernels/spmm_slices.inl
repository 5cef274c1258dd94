// Sparse matrix times few columns, in slices of 8 rows: entry e of all rows lies side by side, so that many chains go
// at once. Counts fall within a slice: at step e its first rows are still at work.

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
    s[r] = L::fma(L::splat(c.weights[entry]), get(slice_value(base, index, stride)), s[r]);
  };
  const std::size_t together = runs[R - 1].count;
  std::size_t e = 0;
  for (; e < together; ++e, at += slice_rows) {
    std::uint64_t four[R / 4];
    std::memcpy(four, c.columns + at, sizeof(four));
    RLCOMPRESS_UNROLL
    for (unsigned r = 0; r < R; ++r) step(r, at + r, index_of_four(four[r / 4], r % 4));
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

// Eight columns or fewer of a panel (narrow_panel): two rows share a vector, and all rows of a slice have as many
// steps; those of the filling meet the panel's row of zeros.
template <class L, class Half>
RLCOMPRESS_ALWAYS_INLINE void spmm_slice_pairs(const SpmmCall& c, const SparseRun* runs, std::size_t present,
                                               std::size_t at) {
  constexpr unsigned P = slice_rows / 2;
  const auto before = [&](unsigned r) RLCOMPRESS_INLINE_LAMBDA {
    const std::uint32_t row = runs[r].row;  // of a run that is not present: 0
    if (!c.first) return Half::load_first(c.y + row * c.y_stride, c.n);
    return c.start != nullptr ? Half::splat(c.start[row]) : Half::zero();
  };
  typename L::Vec s[P];
  RLCOMPRESS_UNROLL
  for (unsigned p = 0; p < P; ++p) s[p] = Half::join(before(2 * p), before(2 * p + 1));
  for (std::size_t e = 0; e < runs[0].count; ++e, at += slice_rows) {
    std::uint32_t two[P];  // indices: the fewest instructions that take them apart
    std::memcpy(two, c.columns + at, sizeof(two));
    const auto value = [&](unsigned r) RLCOMPRESS_INLINE_LAMBDA {
      std::uint64_t offset = r % 2 == 0 ? two[r / 2] & 0xFFFFU : two[r / 2] >> 16;  // x86: the first one is low
      RLCOMPRESS_ONE_REGISTER(offset);
      return Half::load(slice_value(c.x, offset, narrow_panel));
    };
    typename L::Vec w[P];
    Half::splat_pairs(c.weights + at, w);
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p < P; ++p) s[p] = L::fma(w[p], Half::join(value(2 * p), value(2 * p + 1)), s[p]);
  }
  RLCOMPRESS_UNROLL
  for (unsigned r = 0; r < slice_rows; ++r) {
    if (r >= present) continue;
    Half::store_first(c.y + runs[r].row * c.y_stride, r % 2 == 0 ? Half::low(s[r / 2]) : Half::high(s[r / 2]), c.n);
  }
}

template <class L, class Half>
void spmm_slice(const SpmmCall& c, std::size_t run, std::size_t at) noexcept {
  if (c.narrow) {
    if constexpr (Half::width < L::width) {
      return spmm_slice_pairs<L, Half>(c, c.runs + run, c.run_count - run, at);
    } else {
      return spmm_slice_panels<Half, narrow_panel>(c, run, at);
    }
  }
  if (c.n <= Half::width) return spmm_slice_panels<Half, 0>(c, run, at);
  spmm_slice_panels<L, 0>(c, run, at);
}

void spmm_slices_f32(const SpmmCall& c) noexcept {
  if (c.n == 1) return spmm_chains<NarrowLanes>(c);
  std::size_t at = 0;
  for (std::size_t run = 0; run < c.run_count; run += slice_rows) {
    spmm_slice<Lanes, NarrowLanes>(c, run, at);
    at += c.runs[run].count * slice_rows;
  }
}
