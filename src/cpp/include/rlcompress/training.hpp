// The elementwise part of a training step on kept weights: updates, slopes, and the move between layouts.
#pragma once

#include <rlcompress/model.hpp>
#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

namespace rlcompress {

// v = fma(momentum, v, g); w = fma(-rate, v, w). Without velocity (empty): w = fma(-rate, g, w).
Status sgd_update(View<float> weights, View<const float> gradient, View<float> velocity, float rate,
                  float momentum) noexcept;

struct Adam {
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float rate = 1e-3F;    // learning rate / (1 - beta1^t) at step t = 1, 2, ..
  float correction = 1;  // 1 / sqrt(1 - beta2^t)
  float epsilon = 1e-8F;
};

// m += (1 - beta1) (g - m), fused; v = fma(1 - beta2, g g, beta2 v); w = fma(-rate, m / fma(sqrt(v), correction,
// epsilon), w).
Status adam_update(View<float> weights, View<const float> gradient, View<float> mean, View<float> square,
                   const Adam& adam) noexcept;

// In place: activation 0 identity, 1 relu, 2 tanh (docs/format.md).
Status activate(std::uint8_t activation, View<float> y) noexcept;

// dy times the activation's slope, from its y, and the sums of that over the columns: of a row column b goes to partial
// sum b mod 16, rising, then come s[i] + s[i + h] for h = 8, 4, 2, 1. y and dy: rows of as many columns, a multiple of
// 16; sums: one for each row, at least one.
Status activation_slope(std::uint8_t activation, View<const float> y, View<float> dy, View<float> sums) noexcept;

// Gradient by y of the mean cross entropy of softmax(y) against labels, the same bits on every target. y and slope:
// classes x `columns`, each label's column first; the slopes of columns without label become +0. largest and sums: one
// for each label, of its column's y and of exp(y - largest); its cross entropy is log(sum) - (y[label] - largest), left
// to the caller, as the core needs no maths library. unknown_value: a label that is no class.
Status cross_entropy(View<const float> y, std::size_t columns, View<const std::int64_t> labels, View<float> slope,
                     View<float> largest, View<float> sums) noexcept;

// to[i] = from[places[i]]; places are trusted.
Status gather(View<const float> from, View<const std::uint32_t> places, View<float> to) noexcept;

// rows x columns to columns x `stride` >= rows; what lies beyond `rows` becomes +0.
Status transpose(View<const float> from, std::size_t rows, std::size_t columns, std::size_t stride,
                 View<float> to) noexcept;

}  // namespace rlcompress
