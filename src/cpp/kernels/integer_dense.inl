// Integer dense layers at batch 1: u8 inputs, s8 weights in groups of 4 inputs, exact int32 sums.
#include "kernels/integer_steps.inl"
#include "kernels/integer_panels.inl"
#include "kernels/integer_rows.inl"

// Whether the weights come from beyond the first cache, whose bandwidth the sums in memory share.
RLCOMPRESS_ALWAYS_INLINE bool reads_rows(const IntegerDenseCall& c) {
  return width == 16 && c.inputs * c.stride >= beyond_first_cache;
}

void integer_dense_u8(const IntegerDenseCall& c) noexcept {
  const std::size_t vectors = (c.outputs + width - 1) / width;
  const std::size_t last = c.outputs - (vectors - 1) * width;
  if (vectors == 1) {  // few steps: not worth a call
    integer_panel_of<1>(c, 0, last);
  } else if (vectors == 2) {
    integer_panel_of<2>(c, 0, last);
  } else if (vectors > Lanes::integer_sums && reads_rows(c)) {
    integer_rows(c);
  } else {
    integer_panels(c);
  }
  if (c.q != nullptr) pad_bytes(c.q, c.outputs);
}
