// The parts of a layer record that several kinds share (docs/format.md, "Layer record"), and what follows their sums.
#pragma once

#include <rlcompress/model.hpp>

#include "layers/reader.hpp"
#include "kernels/table.hpp"

namespace rlcompress {

enum class RowScaleForm : std::uint8_t { none, float32, one_exponent, exponents };
enum class BiasForm : std::uint8_t { none, float32, integer };

inline WeightType weight_type(const detail::Layer& layer) noexcept {
  return static_cast<WeightType>(layer.weight_type);
}
inline RowScaleForm row_scale_form(const detail::Layer& layer) noexcept {
  return static_cast<RowScaleForm>(layer.scales & 3U);
}
inline bool has_columns(const detail::Layer& layer) noexcept { return (layer.scales & 4U) != 0; }
inline BiasForm bias_form(const detail::Layer& layer) noexcept {
  return static_cast<BiasForm>((layer.scales >> 3U) & 3U);
}

// Outputs of an integer dense record, or of wide float32 weights, with those that fill its last cache line.
inline std::uint32_t filled_outputs(std::uint32_t outputs) noexcept {
  return outputs < 64 ? outputs : (outputs + 15) / 16 * 16;
}

// Weights that start at a multiple of wide_alignment, where vector loads do not cross cache lines.
inline constexpr std::size_t wide_alignment = 64;
inline constexpr std::uint64_t wide_bytes = 4096;
inline bool has_wide_weights(const detail::Layer& layer) noexcept {
  if (layer.kind == 1) return weight_type(layer) == WeightType::float32 && layer.entries * sizeof(float) >= wide_bytes;
  return layer.kind == 3 && (std::uint64_t{layer.inputs} + 3) / 4 * 4 * filled_outputs(layer.outputs) >= wide_bytes;
}

// Whether the kernel dense_chain can run it.
inline bool is_chained(const detail::Layer& layer) noexcept {
  return layer.kind == 1 && weight_type(layer) == WeightType::float32 &&
         layer.activation <= static_cast<std::uint8_t>(Activation::relu);
}

bool decode_alpha(Reader& reader, detail::Layer& layer) noexcept;                         // part 1
bool decode_scales_and_bias(Reader& reader, detail::Layer& layer) noexcept;               // parts 3 to 5
bool decode_weights(Reader& reader, detail::Layer& layer, std::uint64_t count) noexcept;  // part 7

// Bytes of parts 3 to 7 without padding.
std::uint64_t stored_bytes(const detail::Layer& layer) noexcept;

// s[0] of each row, or null for +0; an integer bias is widened into y.
const float* starting_sums(const detail::Layer& layer, float* y) noexcept;

// Row scale and activation, in place; `relu_done` when the kernel has applied it.
void finish_rows(const detail::Layer& layer, const KernelTable& kernels, float* y, bool relu_done) noexcept;

}  // namespace rlcompress
