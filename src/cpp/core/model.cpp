// Model: argument checks, then one chain of kernel calls.
#include <rlcompress/model.hpp>

#include "core/contract.hpp"
#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "core/workspace.hpp"
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {

// A null action leaves the result at the place that self_test knows.
void Model::run_one(const KernelTable& kernels, const float* observation, float* action,
                    float* workspace) const noexcept {
  float* const buffers[2] = {workspace, workspace + even_floats_};
  const float* x = run_input(contract_, kernels, observation, input_size_, buffers[0]);
  if (chain_ > 0) {
    // The action may be where the observation is, which one layer alone would still read.
    const bool acts = chain_ == layer_count_ && chain_ > 1 && contract_.head == 0 && output_size_ <= few_outputs;
    kernels.dense_chain({layers_, chain_, x, {buffers[1], buffers[0]}, acts ? action : nullptr});
    if (acts && action != nullptr) return;
    x = buffers[chain_ % 2];
  }
  for (std::size_t i = chain_; i < layer_count_; ++i) {
    const detail::Layer& layer = layers_[i];
    if (has_columns(layer)) {
      float* scaled = buffers[i % 2];
      kernels.scale_columns(x, reinterpret_cast<const std::int8_t*>(layer.columns), scaled, layer.inputs);
      x = scaled;
    }
    if (wants_bytes(layer)) {
      make_bytes(layer, kernels, x, buffers[i % 2]);
      x = buffers[i % 2];
    }
    float* y = buffers[(i + 1) % 2];
    run_layer(layer, kernels, x, y);
    x = y;
  }
  run_head(contract_, kernels, x, output_size_, action != nullptr ? action : buffers[layer_count_ % 2]);
}

Status Model::run(View<const float> observation, View<float> action, View<std::uint8_t> workspace) const noexcept {
  if (layer_count_ == 0) return Status::no_image;
  if (observation.size() != input_size_) return Status::observation_size;
  if (action.size() != action_size_) return Status::action_size;
  Status status = check_arrays(observation, action);
  if (status == Status::ok) status = check_workspace(workspace, workspace_bytes());
  if (status != Status::ok) return status;
  const KernelTable* kernels = active_table(status);
  if (kernels == nullptr) return status;
  const CanonicalFloats canonical;
  run_one(*kernels, observation.data(), action.data(), reinterpret_cast<float*>(workspace.data()));
  return Status::ok;
}

Status Model::self_test(View<std::uint8_t> workspace, std::size_t* matched) const noexcept {
  if (matched != nullptr) *matched = 0;
  if (layer_count_ == 0) return Status::no_image;
  Status status = check_workspace(workspace, workspace_bytes());
  if (status != Status::ok) return status;
  const KernelTable* kernels = active_table(status);
  if (kernels == nullptr) return status;
  const CanonicalFloats canonical;
  float* floats = reinterpret_cast<float*>(workspace.data());
  const float* action = layer_count_ % 2 == 0 ? floats : floats + even_floats_;
  const float* golden = golden_;
  for (std::size_t i = 0; i < golden_count_; ++i, golden += input_size_ + action_size_) {
    run_one(*kernels, golden, nullptr, floats);
    if (std::memcmp(action, golden + input_size_, action_size_ * sizeof(float)) != 0) return Status::golden_mismatch;
    if (matched != nullptr) *matched = i + 1;
  }
  return Status::ok;
}

}  // namespace rlcompress
