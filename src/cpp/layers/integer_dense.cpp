// Dense layer of integers alone: u8 inputs on the layer's grid, s8 weights, int32 bias and sums; float32 only in
// between.
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {
namespace {

constexpr std::uint32_t most_inputs = 65536;
constexpr std::int32_t largest_product = 255 * 127;

InputSteps steps_of(float scale, std::uint8_t zero) noexcept { return {scale, zero}; }

// |bias| + 255 * 127 * inputs stays below 2^31, so that no sum overflows, whatever its order.
bool decode_integer_bias(Reader& reader, detail::Layer& layer) noexcept {
  if (!reader.align(4)) return false;
  const std::size_t at = reader.offset();
  layer.bias = reader.take("bias", std::uint64_t{layer.outputs} * sizeof(std::int32_t));
  if (layer.bias == nullptr) return false;
  const std::int32_t most = INT32_MAX - largest_product * static_cast<std::int32_t>(layer.inputs);
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    std::int32_t bias;
    std::memcpy(&bias, layer.bias + j * sizeof(bias), sizeof(bias));
    if (bias >= -most && bias <= most) continue;
    return reader.refuse_number(Status::bad_value, "bias", at + j * sizeof(bias),
                                "within +-(2^31 - 1 - 32385 * inputs)", bias);
  }
  return true;
}

// Groups of 4 inputs; what the last group and the last cache line of each lack is 0.
bool decode_groups(Reader& reader, detail::Layer& layer) noexcept {
  const std::uint64_t row = std::uint64_t{4} * filled_outputs(layer.outputs);
  const std::uint64_t bytes = (std::uint64_t{layer.inputs} + 3) / 4 * row;
  layer.entries = std::uint64_t{layer.inputs} * layer.outputs;
  if (has_wide_weights(layer) && !reader.align(wide_alignment)) return false;
  const std::size_t at = reader.offset();
  if (!reader.int8_values("weights", bytes, layer.weights)) return false;
  for (std::uint64_t start = 0, k = 0; start < bytes; start += row, k += 4) {
    const std::uint64_t left = layer.inputs - k;
    for (std::uint64_t i = left < 4 ? 0 : std::uint64_t{4} * layer.outputs; i < row; ++i) {
      const std::uint8_t weight = layer.weights[start + i];
      if (weight == 0 || (i % 4 < left && i < std::uint64_t{4} * layer.outputs)) continue;
      return reader.refuse_number(Status::bad_padding, "weights", at + static_cast<std::size_t>(start + i),
                                  "0 beyond inputs and outputs", static_cast<std::int8_t>(weight));
    }
  }
  return true;
}

}  // namespace

bool decode_integer_dense(Reader& reader, detail::Layer& layer) noexcept {
  const std::size_t record = reader.offset() - 8;
  if (weight_type(layer) != WeightType::int8) {
    return reader.refuse_number(Status::bad_value, "weight_type", record + 2, "1 int8", layer.weight_type);
  }
  if (row_scale_form(layer) != RowScaleForm::float32 || bias_form(layer) != BiasForm::none) {
    return reader.refuse_number(Status::bad_value, "scales", record + 3, "1 or 5 in an integer layer", layer.scales);
  }
  if (layer.inputs > most_inputs) {
    return reader.refuse_range("kind", record, 1, most_inputs, layer.inputs);
  }
  const float* scale = nullptr;
  std::uint32_t zero = 0;
  if (!decode_alpha(reader, layer) || !reader.floats("input scale", 1, Floats::finite_above_zero, scale) ||
      !reader.u32_within("input zero", 0, 255, zero) || !decode_scales_and_bias(reader, layer) ||
      !decode_integer_bias(reader, layer) || !decode_groups(reader, layer)) {
    return false;
  }
  layer.input_scale = *scale;
  layer.input_zero = static_cast<std::uint8_t>(zero);
  return true;
}

void make_bytes(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* q) noexcept {
  kernels.quantise(x, steps_of(layer.input_scale, layer.input_zero), reinterpret_cast<std::uint8_t*>(q), layer.inputs);
}

void run_integer_dense(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* y) noexcept {
  const auto activation = static_cast<Activation>(layer.activation);
  const bool fused = activation == Activation::identity || activation == Activation::relu;
  const bool bytes = layer.next_scale > 0.0F;
  const InputSteps next = steps_of(layer.next_scale, layer.next_zero);
  auto* q = reinterpret_cast<std::uint8_t*>(y);
  IntegerDenseCall call{};
  call.weights = reinterpret_cast<const std::int8_t*>(layer.weights);
  call.x = reinterpret_cast<const std::uint8_t*>(x);
  call.bias = reinterpret_cast<const std::int32_t*>(layer.bias);
  call.scale = reinterpret_cast<const float*>(layer.row_scale);
  call.y = y;
  call.q = bytes && fused ? q : nullptr;
  call.next = next;
  call.inputs = layer.inputs;
  call.outputs = layer.outputs;
  call.stride = filled_outputs(layer.outputs);
  call.input_zero = layer.input_zero;
  call.relu = activation == Activation::relu;
  kernels.integer_dense(call);
  if (fused) return;
  kernels.activate(activation, layer.alpha, y, layer.outputs);
  if (bytes) kernels.quantise(y, next, q, layer.outputs);
}

}  // namespace rlcompress
