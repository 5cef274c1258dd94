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

}  // namespace rlcompress
