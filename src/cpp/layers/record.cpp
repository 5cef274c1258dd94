#include "layers/record.hpp"

#include <cstring>

namespace rlcompress {

namespace {

constexpr unsigned weight_bits[] = {32, 8, 4};

int integer_at(const detail::Layer& layer, std::size_t i) noexcept {
  if (weight_type(layer) == WeightType::int8) return static_cast<std::int8_t>(layer.weights[i]);
  const unsigned nibble = (layer.weights[i / 2] >> (4 * (i & 1U))) & 15U;
  return static_cast<int>(nibble ^ 8U) - 8;
}

// A bias of zeros that changes no result is left out, so that one content has one encoding.
bool refuse_zero_bias(Reader& reader, std::size_t at) noexcept {
  return reader.refuse(Status::bad_value, "bias", at, "a value other than 0 (zeros are left out)", "zeros alone");
}

bool integer_bias_counts(const detail::Layer& layer) noexcept {
  for (std::uint32_t j = 0; j < layer.first; ++j) {
    if (integer_at(layer, j) != 0) return true;
  }
  return false;
}

bool float_bias_counts(const detail::Layer& layer) noexcept {
  for (std::uint32_t j = 0; j < layer.outputs; ++j) {
    if (reinterpret_cast<const float*>(layer.bias)[j] != 0.0F) return true;
  }
  return false;
}

// Whole cache lines for every input: what the last one lacks is +0.
bool decode_wide_weights(Reader& reader, detail::Layer& layer) noexcept {
  if (!reader.align(wide_alignment)) return false;
  const std::size_t at = reader.offset();
  const std::size_t stride = layer.stride = filled_outputs(layer.outputs);
  const float* weights = nullptr;
  if (!reader.floats("weights", std::uint64_t{layer.inputs} * stride, Floats::finite, weights)) return false;
  layer.weights = reinterpret_cast<const std::uint8_t*>(weights);
  for (std::size_t k = 0; k < layer.inputs; ++k) {
    for (std::size_t i = k * stride + layer.outputs; i < (k + 1) * stride; ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, weights + i, sizeof(bits));
      if (bits == 0) continue;
      return reader.refuse_float("weights", at + i * sizeof(float), "+0 beyond the outputs", weights[i]);
    }
  }
  return true;
}

}  // namespace

bool decode_alpha(Reader& reader, detail::Layer& layer) noexcept {
  const auto activation = static_cast<Activation>(layer.activation);
  if (activation != Activation::elu && activation != Activation::leaky_relu) return true;
  const std::size_t at = reader.offset();
  const float* alpha = nullptr;
  if (!reader.floats("alpha", 1, Floats::finite, alpha)) return false;
  layer.alpha = *alpha;
  if (!(layer.alpha >= 0.0F)) return reader.refuse_float("alpha", at, "a finite value >= 0", layer.alpha);
  if (activation == Activation::leaky_relu && layer.alpha > 1.0F) {
    return reader.refuse_float("alpha", at, "0..1", layer.alpha);
  }
  return true;
}

bool decode_scales_and_bias(Reader& reader, detail::Layer& layer) noexcept {
  const RowScaleForm form = row_scale_form(layer);
  if (form == RowScaleForm::float32) {
    const float* scale = nullptr;
    if (!reader.floats("row scale", layer.outputs, Floats::finite_above_zero, scale)) return false;
    layer.row_scale = reinterpret_cast<const std::uint8_t*>(scale);
  } else if (form != RowScaleForm::none) {
    const std::uint32_t count = form == RowScaleForm::one_exponent ? 1 : layer.outputs;
    if (!reader.exponents("row scale", count, layer.row_scale)) return false;
  }
  if (has_columns(layer) && !reader.exponents("column exponents", layer.inputs, layer.columns)) return false;
  if (bias_form(layer) == BiasForm::float32) {
    const float* bias = nullptr;
    if (!reader.floats("bias", layer.outputs, Floats::bias, bias)) return false;
    layer.bias = reinterpret_cast<const std::uint8_t*>(bias);
    if (weight_type(layer) == WeightType::float32 && !float_bias_counts(layer)) {
      return refuse_zero_bias(reader, reader.offset() - std::size_t{layer.outputs} * sizeof(float));
    }
  }
  return true;
}

bool decode_weights(Reader& reader, detail::Layer& layer, std::uint64_t count) noexcept {
  layer.first = bias_form(layer) == BiasForm::integer ? layer.outputs : 0;
  layer.entries = count;
  if (weight_type(layer) != WeightType::float32) {
    const std::size_t at = reader.offset();
    const bool read = weight_type(layer) == WeightType::int8
                          ? reader.int8_values("weights", layer.first + count, layer.weights)
                          : reader.int4_values("weights", layer.first + count, layer.weights);
    if (!read) return false;
    return layer.first == 0 || integer_bias_counts(layer) ? true : refuse_zero_bias(reader, at);
  }
  if (has_wide_weights(layer)) return decode_wide_weights(reader, layer);
  const float* weights = nullptr;
  if (!reader.floats("weights", count, Floats::finite, weights)) return false;
  layer.weights = reinterpret_cast<const std::uint8_t*>(weights);
  return true;
}

std::uint64_t stored_bytes(const detail::Layer& layer) noexcept {
  std::uint64_t bytes = 0;
  switch (row_scale_form(layer)) {
    case RowScaleForm::none: break;
    case RowScaleForm::float32: bytes = std::uint64_t{layer.outputs} * sizeof(float); break;
    case RowScaleForm::one_exponent: bytes = 1; break;
    case RowScaleForm::exponents: bytes = layer.outputs; break;
  }
  if (has_columns(layer)) bytes += layer.inputs;
  if (bias_form(layer) == BiasForm::float32) bytes += std::uint64_t{layer.outputs} * sizeof(float);
  if (layer.input_scale > 0.0F) bytes += 8 + std::uint64_t{layer.outputs} * sizeof(std::int32_t);
  if (layer.counts != nullptr) bytes += layer.index_bytes * (layer.outputs + layer.entries);
  return bytes + ((layer.first + layer.entries) * weight_bits[layer.weight_type] + 7) / 8;
}

const float* starting_sums(const detail::Layer& layer, float* y) noexcept {
  if (bias_form(layer) == BiasForm::none) return nullptr;
  if (bias_form(layer) == BiasForm::float32) {
    if (row_scale_form(layer) != RowScaleForm::none) return nullptr;  // added after the scale
    return reinterpret_cast<const float*>(layer.bias);
  }
  for (std::uint32_t j = 0; j < layer.outputs; ++j) y[j] = static_cast<float>(integer_at(layer, j));
  return y;
}

void finish_rows(const detail::Layer& layer, const KernelTable& kernels, float* y, bool relu_done) noexcept {
  const RowScaleForm form = row_scale_form(layer);
  if (form != RowScaleForm::none) {
    RowScaleCall call{};
    call.y = y;
    call.outputs = layer.outputs;
    if (form == RowScaleForm::float32) {
      call.scale = reinterpret_cast<const float*>(layer.row_scale);
    } else {
      call.exponent = reinterpret_cast<const std::int8_t*>(layer.row_scale);
      call.one_exponent = form == RowScaleForm::one_exponent;
    }
    call.bias = bias_form(layer) == BiasForm::float32 ? reinterpret_cast<const float*>(layer.bias) : nullptr;
    kernels.scale_rows(call);
  }
  const auto activation = static_cast<Activation>(layer.activation);
  if (relu_done || activation == Activation::identity) return;
  kernels.activate(activation, layer.alpha, y, layer.outputs);
}

}  // namespace rlcompress
