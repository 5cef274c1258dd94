#include <rlcompress/training.hpp>

#include <algorithm>
#include <cstring>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"

namespace rlcompress {
namespace {

constexpr std::uint8_t activations_with_slope = 3;

using Four = float __attribute__((vector_size(16)));
using FourIndices = std::int32_t __attribute__((vector_size(16)));

// The elements of a and b, one after the other, at these indices.
template <int A, int B, int C, int D>
Four pick(Four a, Four b) noexcept {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, A, B, C, D);
#else
  return __builtin_shuffle(a, b, FourIndices{A, B, C, D});
#endif
}

Four load_four(const float* p) noexcept {
  Four x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}

// 4 x 4 elements.
void transpose_four(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) noexcept {
  const Four a = load_four(from);
  const Four b = load_four(from + from_stride);
  const Four c = load_four(from + 2 * from_stride);
  const Four d = load_four(from + 3 * from_stride);
  const Four low[2] = {pick<0, 4, 1, 5>(a, b), pick<0, 4, 1, 5>(c, d)};
  const Four high[2] = {pick<2, 6, 3, 7>(a, b), pick<2, 6, 3, 7>(c, d)};
  const Four rows[4] = {pick<0, 1, 4, 5>(low[0], low[1]), pick<2, 3, 6, 7>(low[0], low[1]),
                        pick<0, 1, 4, 5>(high[0], high[1]), pick<2, 3, 6, 7>(high[0], high[1])};
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(to + i * to_stride, &rows[i], sizeof(Four));
}

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
  constexpr std::size_t together = 16;  // rows: what is written of a column fills a cache line
  for (std::size_t first = 0; first < rows; first += together) {
    const std::size_t end = std::min(rows, first + together);
    std::size_t k = 0;
    for (; end - first == together && k + 4 <= columns; k += 4) {
      for (std::size_t b = first; b < end; b += 4) {
        transpose_four(from.data() + b * columns + k, columns, to.data() + k * stride + b, stride);
      }
    }
    for (; k < columns; ++k) {
      for (std::size_t b = first; b < end; ++b) to[k * stride + b] = from[b * columns + k];
    }
  }
  for (std::size_t k = 0; k < columns; ++k) {
    std::fill(to.data() + k * stride + rows, to.data() + (k + 1) * stride, 0.0F);
  }
  return Status::ok;
}

}  // namespace rlcompress
