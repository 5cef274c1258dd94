// Model: argument checks, then one chain of kernel calls.
#include <rlcompress/model.hpp>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {
namespace {

// Index of the first largest value; NaN never wins.
std::size_t argmax(const float* y, std::size_t n) noexcept {
  std::size_t best = 0;
  for (std::size_t i = 1; i < n; ++i) {
    if (y[i] > y[best] || (y[best] != y[best] && y[i] == y[i])) best = i;
  }
  return best;
}

// The values whose bit is set, in order; y may be x.
void select(const float* x, const std::uint8_t* selection, std::size_t n, float* y) noexcept {
  for (std::size_t first = 0; first < n; first += 8) {
    for (unsigned bits = selection[first / 8]; bits != 0; bits &= bits - 1) {
      *y++ = x[first + static_cast<unsigned>(__builtin_ctz(bits))];
    }
  }
}

void run_layer(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* y) noexcept {
  switch (layer.kind) {
#define RLCOMPRESS_LAYER(code, name) \
  case code: return run_##name(layer, kernels, x, y);
#include "layers/layers.def"
#undef RLCOMPRESS_LAYER
    default: return;
  }
}

void run_head(const detail::Contract& contract, const KernelTable& kernels, const float* y, std::size_t n,
              float* action) noexcept {
  if (contract.head == 1) {
    *action = static_cast<float>(static_cast<std::int64_t>(contract.start) + static_cast<std::int64_t>(argmax(y, n)));
    return;
  }
  const HeadCall call{
      y, action, contract.head_arrays[0], contract.head_arrays[1], contract.head_arrays[2], contract.head_arrays[3], n};
  if (contract.head == 0) return kernels.head_raw(call);
  if (contract.head == 2) return kernels.head_clip(call);
  kernels.head_squash(call);
}

bool holds(std::size_t size, std::size_t n, std::size_t each) noexcept {
  std::size_t wanted = 0;
  return !__builtin_mul_overflow(n, each, &wanted) && size == wanted;
}

Status check_workspace(View<std::uint8_t> workspace, std::size_t needed) noexcept {
  if (workspace.size() < needed) return Status::workspace_size;
  if (reinterpret_cast<std::uintptr_t>(workspace.data()) % alignof(float) != 0) return Status::misaligned_workspace;
  return Status::ok;
}

}  // namespace

// A null action leaves the result at the place that self_test knows.
void Model::run_one(const KernelTable& kernels, const float* observation, float* action,
                    float* workspace) const noexcept {
  float* const buffers[2] = {workspace, workspace + even_floats_};
  const float* x = observation;
  if (contract_.mean != nullptr) {
    kernels.normalise({x, buffers[0], contract_.mean, contract_.scale, contract_.clip, input_size_});
    x = buffers[0];
  }
  if (contract_.selection != nullptr) {
    select(x, contract_.selection, input_size_, buffers[0]);
    x = buffers[0];
  }
  for (std::size_t i = 0; i < layer_count_; ++i) {
    const detail::Layer& layer = layers_[i];
    if (has_columns(layer)) {
      float* scaled = buffers[i % 2];
      kernels.scale_columns(x, reinterpret_cast<const std::int8_t*>(layer.columns), scaled, layer.inputs);
      x = scaled;
    }
    float* y = buffers[(i + 1) % 2];
    run_layer(layer, kernels, x, y);
    x = y;
  }
  run_head(contract_, kernels, x, output_size_, action != nullptr ? action : buffers[layer_count_ % 2]);
}

Status Model::run(View<const float> observation, View<float> action, View<std::uint8_t> workspace) const noexcept {
  return run_batch(1, observation, action, workspace);
}

Status Model::run_batch(std::size_t n, View<const float> observations, View<float> actions,
                        View<std::uint8_t> workspace) const noexcept {
  if (!holds(observations.size(), n, input_size_)) return Status::observation_size;
  if (!holds(actions.size(), n, action_size_)) return Status::action_size;
  Status status = check_workspace(workspace, workspace_bytes());
  if (status != Status::ok) return status;
  const KernelTable* kernels = active_table(status);
  if (kernels == nullptr) return status;
  const CanonicalFloats canonical;
  float* floats = reinterpret_cast<float*>(workspace.data());
  for (std::size_t i = 0; i < n; ++i) {
    run_one(*kernels, observations.data() + i * input_size_, actions.data() + i * action_size_, floats);
  }
  return Status::ok;
}

Status Model::self_test(View<std::uint8_t> workspace, std::size_t* matched) const noexcept {
  if (matched != nullptr) *matched = 0;
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
