// What a runtime layer is: decode_<name> reads and checks its record (after the first 8 bytes), run_<name> runs it.
#pragma once

#include <rlcompress/model.hpp>

#include "layers/reader.hpp"
#include "kernels/table.hpp"

namespace rlcompress {

#define RLCOMPRESS_LAYER(code, name)                                 \
  bool decode_##name(Reader& reader, detail::Layer& layer) noexcept; \
  void run_##name(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* y) noexcept;
#include "layers/layers.def"
#undef RLCOMPRESS_LAYER

// Rows that run_layer_rows reads and writes, `x_stride` and `y_stride` floats apart; y as DenseBatchCall wants it.
struct LayerRows {
  const float* x;
  std::size_t x_stride;
  float* y;
  std::size_t y_stride;
  std::size_t count;
  float* scratch;
  std::size_t scratch_floats;
};

inline void run_layer(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* y) noexcept {
  switch (layer.kind) {
#define RLCOMPRESS_LAYER(code, name) \
  case code: return run_##name(layer, kernels, x, y);
#include "layers/layers.def"
#undef RLCOMPRESS_LAYER
    default: return;
  }
}

// Many rows at once where the layer has such a form, else row by row: the results are the same.
void run_layer_rows(const detail::Layer& layer, const KernelTable& kernels, const LayerRows& rows) noexcept;

// Floats of scratch with which run_layer_rows is fastest.
std::size_t scratch_floats(const detail::Layer& layer) noexcept;

// Whether run_integer_dense wants its inputs as bytes that nobody has made yet, and makes them: `inputs` bytes, up to a
// multiple of 16, at q, which may be x.
inline bool wants_bytes(const detail::Layer& layer) noexcept { return layer.input_scale > 0.0F && !layer.takes_bytes; }
void make_bytes(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* q) noexcept;

}  // namespace rlcompress
