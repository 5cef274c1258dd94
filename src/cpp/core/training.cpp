#include <rlcompress/training.hpp>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "kernels/transpose.hpp"

namespace rlcompress {
namespace {

constexpr std::uint8_t activations_with_slope = 3;

}  // namespace

Status sgd_update(View<float> weights, View<const float> gradient, View<float> velocity, float rate,
                  float momentum) noexcept {
  const std::size_t n = weights.size();
  if (gradient.size() != n || (velocity.size() != 0 && velocity.size() != n)) return Status::matrix_shape;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  const CanonicalFloats floats;
  table->sgd(weights.data(), gradient.data(), velocity.size() > 0 ? velocity.data() : nullptr, n, rate, momentum);
  return Status::ok;
}

Status adam_update(View<float> weights, View<const float> gradient, View<float> mean, View<float> square,
                   const Adam& adam) noexcept {
  const std::size_t n = weights.size();
  if (gradient.size() != n || mean.size() != n || square.size() != n) return Status::matrix_shape;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  const CanonicalFloats floats;
  table->adam({weights.data(), gradient.data(), mean.data(), square.data(), n, adam.beta1, adam.beta2, adam.rate,
               adam.correction, adam.epsilon});
  return Status::ok;
}

Status activate(std::uint8_t activation, View<float> y) noexcept {
  if (activation >= activations_with_slope) return Status::unknown_value;
  Status status = Status::ok;
  const KernelTable* const table = active_table(status);
  if (table == nullptr) return status;
  const CanonicalFloats floats;
  table->activate(static_cast<Activation>(activation), 0.0F, y.data(), y.size());
  return Status::ok;
}

Status activation_slope(std::uint8_t activation, View<const float> y, View<float> dy, View<float> sums) noexcept {
  if (activation >= activations_with_slope) return Status::unknown_value;
  const std::size_t rows = sums.size();
  if (y.size() != dy.size() || rows == 0 || dy.size() % (16 * rows) != 0) return Status::matrix_shape;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  const CanonicalFloats floats;
  table->slope(static_cast<Activation>(activation), {y.data(), dy.data(), sums.data(), rows, dy.size() / rows});
  return Status::ok;
}

Status gather(View<const float> from, View<const std::uint32_t> places, View<float> to) noexcept {
  if (places.size() != to.size()) return Status::matrix_shape;
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[places[i]];
  return Status::ok;
}

Status transpose(View<const float> from, std::size_t rows, std::size_t columns, std::size_t stride,
                 View<float> to) noexcept {
  if (from.size() != rows * columns || to.size() != columns * stride || stride < rows) return Status::matrix_shape;
  transposed(from.data(), rows, columns, to.data(), stride);
  return Status::ok;
}

}  // namespace rlcompress
