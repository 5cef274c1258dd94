// What one pass over a weight array tells: mean, spread and largest magnitude, and how many weights reach each of a
// list of thresholds. The same bits on every target; nothing is copied or allocated.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

namespace rlcompress {

struct WeightStatistics {
  double mean = 0;
  double deviation = 0;  // of the population: the square root of the mean squared deviation from the mean
  float largest = 0;     // magnitude
};

// All zero for an empty array; NaN and infinities are refused.
//
// The sums are float64, unfused, in an order that the size alone fixes. Each block of 4096 weights (the last may be
// shorter) is summed in 32 chains, of which chain c adds elements c, c + 32, .. to +0; then s[c] += s[c + h] for c < h,
// h = 16, 8, 4, 2, 1. The sum over n weights gives the block's mean, a second such sum that of (w - mean)^2. Blocks are
// joined in order: with d = mean_b - mean and N = n + n_b, mean += d * (n_b / N) and squares += squares_b + d * d * (n
// * (n_b / N)).
Status weight_statistics(View<const float> weights, WeightStatistics& statistics) noexcept;

// counts[t] = how many |w| >= thresholds[t], any number of thresholds in any order. NaN is refused on either side.
Status counts_at_least(View<const float> weights, View<const float> thresholds, View<std::int64_t> counts) noexcept;

}  // namespace rlcompress
