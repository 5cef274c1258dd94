// Sums of an integer dense layer in registers, eight parts of its rows read side by side. Where the weights are a
// little larger than the first cache, lines that follow each other are evicted before the next observation; lines of
// the same sets at once leave some of them there (Zen 5: 8 to 14 % less time).

constexpr unsigned parts = 8;
constexpr std::size_t same_sets = 4096;  // bytes from a line to the next one of its sets

// Rows of each part, a multiple of `same_sets` apart; the others come after them. Zero where that leaves none.
inline std::size_t rows_of_part(const IntegerDenseCall& c) noexcept {
  const std::size_t rows = (c.inputs + 3) / 4 / parts;
  const std::size_t row = 4 * c.stride;
  std::size_t together = 1;
  while (together <= rows && together * row % same_sets != 0) together *= 2;
  return rows / together * together;
}

// V vectors of outputs, all filled; so many rows of each part.
template <unsigned V>
void integer_streams_of(const IntegerDenseCall& c, std::size_t rows) noexcept {
  Integers s[V];
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) s[v] = Lanes::load_integers(c.bias + v * width);
  const std::size_t stride = 4 * c.stride;
  const std::uint8_t* x = c.x;
  const std::int8_t* w = c.weights;
  for (const std::uint8_t* end = x + 4 * rows; x < end; x += 4, w += stride) {
    Lanes::Bytes fours[parts];
    RLCOMPRESS_UNROLL
    for (unsigned p = 0; p < parts; ++p) fours[p] = Lanes::splat_four(x + 4 * p * rows);
    RLCOMPRESS_UNROLL
    for (unsigned v = 0; v < V; ++v) {
      RLCOMPRESS_UNROLL
      for (unsigned p = 0; p < parts; ++p) {
        s[v] = Lanes::dot_four(s[v], fours[p], Lanes::load_integers(w + p * rows * stride + 4 * v * width));
      }
      RLCOMPRESS_ONE_VECTOR(s[v]);  // else the lines of a part are read together
    }
  }
  x += 4 * (parts - 1) * rows;
  w += (parts - 1) * rows * stride;
  for (const std::uint8_t* end = c.x + c.inputs; x < end; x += 4, w += stride) integer_step<V, false>(s, x, w, width);
  const IntegerFinish finish(c);
  RLCOMPRESS_UNROLL
  for (unsigned v = 0; v < V; ++v) finish(s[v], Lanes::load(c.scale + v * width), v * width);
}

// Whether the layer was one of these. Widths are powers of two for most, and others seldom lie well in the sets.
RLCOMPRESS_ALWAYS_INLINE bool integer_streams(const IntegerDenseCall& c) noexcept {
  if constexpr (width == 16) {
    const std::size_t bytes = c.inputs * c.stride;
    if (bytes < beyond_first_cache || bytes > 2 * beyond_first_cache) return false;
    const std::size_t rows = rows_of_part(c);
    if (rows == 0) return false;
    if (c.outputs == 8 * width) return integer_streams_of<8>(c, rows), true;
    if (c.outputs == 16 * width) return integer_streams_of<16>(c, rows), true;
  }
  return false;
}
