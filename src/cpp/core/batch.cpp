// Model::run_batch: chunks of rows go through the layers together.
#include <rlcompress/model.hpp>

#include <cstdint>

#include "core/contract.hpp"
#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "core/overlap.hpp"
#include "core/workspace.hpp"
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {
namespace {

// Whether `size` floats are n of `each`, in an array that can exist.
bool holds(std::size_t size, std::size_t n, std::size_t each) noexcept {
  std::size_t wanted = 0;
  return size <= PTRDIFF_MAX / sizeof(float) && !__builtin_mul_overflow(n, each, &wanted) && size == wanted;
}

}  // namespace

std::size_t Model::batch_scratch_bytes() const noexcept {
  std::size_t most = 0;
  for (std::size_t i = 0; i < layer_count_; ++i) {
    const std::size_t floats = scratch_floats(layers_[i]);
    if (floats > most) most = floats;
  }
  return most * sizeof(float);
}

std::size_t Model::batch_workspace_bytes(std::size_t rows) const noexcept {
  if (rows <= 1) return workspace_bytes();
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(rows, workspace_bytes(), &bytes)) return workspace_bytes();
  return __builtin_add_overflow(bytes, batch_scratch_bytes(), &bytes) ? workspace_bytes() : bytes;
}

// Rows that go together in a workspace of `size` bytes.
std::size_t Model::chunk_rows(std::size_t size) const noexcept {
  const std::size_t scratch = batch_scratch_bytes();
  const std::size_t rows = size > scratch ? (size - scratch) / workspace_bytes() : 0;
  return rows > 1 ? rows : 1;
}

void Model::run_chunk(const KernelTable& kernels, std::size_t n, const float* observations, float* actions,
                      View<std::uint8_t> workspace) const noexcept {
  float* const floats = reinterpret_cast<float*>(workspace.data());
  float* const buffers[2] = {floats, floats + n * even_floats_};
  const std::size_t strides[2] = {even_floats_, odd_floats_};
  float* const scratch = buffers[1] + n * odd_floats_;
  const std::size_t scratch_floats = (workspace.size() - n * workspace_bytes()) / sizeof(float);
  const float* x = observations;
  std::size_t x_stride = input_size_;
  if (contract_.mean != nullptr || contract_.selection != nullptr) {
    for (std::size_t r = 0; r < n; ++r) {
      run_input(contract_, kernels, observations + r * input_size_, input_size_, buffers[0] + r * even_floats_);
    }
    x = buffers[0];
    x_stride = even_floats_;
  }
  for (std::size_t i = 0; i < layer_count_; ++i) {
    const detail::Layer& layer = layers_[i];
    if (has_columns(layer)) {
      for (std::size_t r = 0; r < n; ++r) {
        kernels.scale_columns(x + r * x_stride, reinterpret_cast<const std::int8_t*>(layer.columns),
                              buffers[i % 2] + r * strides[i % 2], layer.inputs);
      }
      x = buffers[i % 2];
      x_stride = strides[i % 2];
    }
    if (wants_bytes(layer)) {
      for (std::size_t r = 0; r < n; ++r) {
        make_bytes(layer, kernels, x + r * x_stride, buffers[i % 2] + r * strides[i % 2]);
      }
      x = buffers[i % 2];
      x_stride = strides[i % 2];
    }
    const std::size_t to = (i + 1) % 2;
    run_layer_rows(layer, kernels, {x, x_stride, buffers[to], strides[to], n, scratch, scratch_floats});
    x = buffers[to];
    x_stride = strides[to];
  }
  for (std::size_t r = 0; r < n; ++r) {
    run_head(contract_, kernels, x + r * x_stride, output_size_, actions + r * action_size_);
  }
}

Status Model::run_batch(std::size_t n, View<const float> observations, View<float> actions,
                        View<std::uint8_t> workspace) const noexcept {
  if (layer_count_ == 0) return Status::no_image;
  if (!holds(observations.size(), n, input_size_)) return Status::observation_size;
  if (!holds(actions.size(), n, action_size_)) return Status::action_size;
  Status status = n > 0 ? check_arrays(observations, actions) : Status::ok;
  if (status == Status::ok) status = check_workspace(workspace, workspace_bytes());
  if (status != Status::ok) return status;
  if (overlap(observations, {actions.data(), actions.size()})) return Status::overlap;
  const KernelTable* kernels = active_table(status);
  if (kernels == nullptr) return status;
  const CanonicalFloats canonical;
  const std::size_t most = chunk_rows(workspace.size());
  for (std::size_t at = 0; at < n;) {
    const std::size_t rows = n - at < most ? n - at : most;
    const float* from = observations.data() + at * input_size_;
    float* to = actions.data() + at * action_size_;
    if (rows == 1) {
      run_one(*kernels, from, to, reinterpret_cast<float*>(workspace.data()));
    } else {
      run_chunk(*kernels, rows, from, to, workspace);
    }
    at += rows;
  }
  return Status::ok;
}

}  // namespace rlcompress
