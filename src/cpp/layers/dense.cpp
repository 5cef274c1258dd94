// Dense layer: input-major weights, or output-major where the rule has 16 partial sums.
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {

bool decode_dense(Reader& reader, detail::Layer& layer) noexcept {
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
  call.relu =
      static_cast<Activation>(layer.activation) == Activation::relu && row_scale_form(layer) == RowScaleForm::none;
  kernels.dense[layer.weight_type](call);
  finish_rows(layer, kernels, y, call.relu);
}

}  // namespace rlcompress
