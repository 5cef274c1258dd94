// Sparse dense layers at batch 1: per row one sum over the stored entries in index order (P = 1).
// Four rows go side by side, since each is a chain of dependent additions.

template <class Index, class Stream>
struct SparseRow {
  const Stream& w;
  const Index* indices;
  std::size_t at;
  float s;
  RLCOMPRESS_ALWAYS_INLINE void step(const float* x, std::size_t first) {
    s = Lanes::fma_one(w.one(first + at), x[indices[at]], s);
    ++at;
  }
};

template <class Index, class Stream>
RLCOMPRESS_ALWAYS_INLINE void sparse_rows(const Stream& w, const SparseCall& c) {
  const Index* counts = static_cast<const Index*>(c.counts);
  const Index* indices = static_cast<const Index*>(c.indices);
  using Row = SparseRow<Index, Stream>;
  std::size_t at = 0;
  std::size_t j = 0;
  const auto start = [&c](std::size_t row) { return c.start != nullptr ? c.start[row] : 0.0F; };
  for (; j + 4 <= c.outputs; j += 4) {
    const std::size_t end0 = at + counts[j];
    const std::size_t end1 = end0 + counts[j + 1];
    const std::size_t end2 = end1 + counts[j + 2];
    const std::size_t end3 = end2 + counts[j + 3];
    Row a{w, indices, at, start(j)};
    Row b{w, indices, end0, start(j + 1)};
    Row d{w, indices, end1, start(j + 2)};
    Row e{w, indices, end2, start(j + 3)};
    Index together = counts[j];
    for (std::size_t r = 1; r < 4; ++r) together = counts[j + r] < together ? counts[j + r] : together;
    for (Index i = 0; i < together; ++i) {
      a.step(c.x, c.first);
      b.step(c.x, c.first);
      d.step(c.x, c.first);
      e.step(c.x, c.first);
    }
    while (a.at < end0) a.step(c.x, c.first);
    while (b.at < end1) b.step(c.x, c.first);
    while (d.at < end2) d.step(c.x, c.first);
    while (e.at < end3) e.step(c.x, c.first);
    c.y[j] = a.s;
    c.y[j + 1] = b.s;
    c.y[j + 2] = d.s;
    c.y[j + 3] = e.s;
    at = end3;
  }
  for (; j < c.outputs; ++j) {
    const std::size_t end = at + counts[j];
    Row row{w, indices, at, start(j)};
    while (row.at < end) row.step(c.x, c.first);
    c.y[j] = row.s;
    at = end;
  }
}

template <class Stream>
RLCOMPRESS_ALWAYS_INLINE void sparse(const Stream& w, const SparseCall& c) {
  switch (c.index_bytes) {
    case 1: return sparse_rows<std::uint8_t>(w, c);
    case 2: return sparse_rows<std::uint16_t>(w, c);
    default: return sparse_rows<std::uint32_t>(w, c);
  }
}

void sparse_f32(const SparseCall& c) noexcept { sparse(stream_f32(c.weights), c); }
void sparse_i8(const SparseCall& c) noexcept { sparse(stream_i8(c.weights), c); }
void sparse_i4(const SparseCall& c) noexcept { sparse(stream_i4(c.weights), c); }
