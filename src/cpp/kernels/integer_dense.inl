// Integer dense layers at batch 1: u8 inputs, s8 weights in groups of 4 inputs, exact int32 sums.
#include "kernels/integer_steps.inl"
#include "kernels/integer_panels.inl"
#include "kernels/integer_rows.inl"
#include "kernels/integer_streams.inl"
#include "kernels/integer_few.inl"
#include "kernels/integer_nonzero.inl"

// Whether the weights come from beyond the first cache, whose bandwidth the sums in memory share.
RLCOMPRESS_ALWAYS_INLINE bool reads_rows(const IntegerDenseCall& c) {
  return width == 16 && c.inputs * c.stride >= beyond_first_cache;
}

RLCOMPRESS_ALWAYS_INLINE void integer_outputs(const IntegerDenseCall& c) {
  const std::size_t vectors = (c.outputs + width - 1) / width;
  const std::size_t last = c.outputs - (vectors - 1) * width;
  if (integer_few<Lanes>(c)) return;
  if (vectors == 1) return integer_panel_of<1>(c, EveryGroup(), 0, last);
  if (vectors == 2) return integer_panel_of<2>(c, EveryGroup(), 0, last);
  if (integer_nonzero(c)) return;
  if (vectors > Lanes::integer_sums && reads_rows(c)) return integer_rows(c);
  if (integer_streams(c)) return;
  integer_panels(c, EveryGroup());
}

void integer_dense_u8(const IntegerDenseCall& c) noexcept {
  integer_outputs(c);
  if (width < 4 && c.q != nullptr) pad_bytes(c.q, c.outputs);
}
