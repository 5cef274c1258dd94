// Dense layer: input-major weights, or output-major where the rule has 16 partial sums.
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {

namespace {

bool relu_in_kernel(const detail::Layer& layer) noexcept {
  return static_cast<Activation>(layer.activation) == Activation::relu && row_scale_form(layer) == RowScaleForm::none;
}

}  // namespace

bool decode_dense(Reader& reader, detail::Layer& layer) noexcept {
  layer.stride = layer.outputs;
  return decode_alpha(reader, layer) && decode_scales_and_bias(reader, layer) &&
         decode_weights(reader, layer, std::uint64_t{layer.inputs} * layer.outputs);
}

void run_dense(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* y) noexcept {
  DenseCall call{};
  call.weights = layer.weights;
  call.first = layer.first;
  call.x = x;
  call.start = starting_sums(layer, y);
  call.y = y;
  call.inputs = layer.inputs;
  call.outputs = layer.outputs;
  call.stride = layer.stride;
  call.relu = relu_in_kernel(layer);
  call.relu_follows = static_cast<Activation>(layer.activation) == Activation::relu;
  kernels.dense[layer.weight_type](call);
  finish_rows(layer, kernels, y, call.relu);
}

namespace {

// Enough for the widest panel, 3 vectors of the widest target; at most 1 MiB with the rest of a workspace in mind.
constexpr std::size_t panel_columns = 48;
constexpr std::size_t most_panel_floats = std::size_t{1} << 18;

bool is_finished_by_sums(const detail::Layer& layer) noexcept {
  return static_cast<Activation>(layer.activation) == Activation::identity &&
         row_scale_form(layer) == RowScaleForm::none;
}

bool is_blocked(const detail::Layer& layer) noexcept {
  return layer.kind == 1 && partial_sums(layer.inputs, layer.outputs) != 16;
}

void run_dense_rows(const detail::Layer& layer, const KernelTable& kernels, const LayerRows& rows) noexcept {
  DenseBatchCall call{};
  call.weights = layer.weights;
  call.first = layer.first;
  call.x = rows.x;
  call.x_stride = rows.x_stride;
  call.start = starting_sums(layer, rows.y);
  call.y = rows.y;
  call.y_stride = rows.y_stride;
  call.inputs = layer.inputs;
  call.outputs = layer.outputs;
  call.stride = layer.stride;
  call.rows = rows.count;
  call.panel = rows.scratch;
  call.panel_floats = rows.scratch_floats;
  call.relu = relu_in_kernel(layer);
  kernels.dense_batch[layer.weight_type](call);
  if (call.relu || is_finished_by_sums(layer)) return;
  for (std::size_t r = 0; r < rows.count; ++r) finish_rows(layer, kernels, rows.y + r * rows.y_stride, call.relu);
}

}  // namespace

std::size_t scratch_floats(const detail::Layer& layer) noexcept {
  if (!is_blocked(layer)) return 0;
  const std::size_t wanted = panel_columns * layer.inputs;
  return wanted < most_panel_floats ? wanted : most_panel_floats;
}

void run_layer_rows(const detail::Layer& layer, const KernelTable& kernels, const LayerRows& rows) noexcept {
  if (layer.kind == 1) return run_dense_rows(layer, kernels, rows);
  for (std::size_t r = 0; r < rows.count; ++r) {
    run_layer(layer, kernels, rows.x + r * rows.x_stride, rows.y + r * rows.y_stride);
  }
}

}  // namespace rlcompress
