#include <rlcompress/weight_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "core/magnitude_cut.hpp"

namespace rlcompress {
namespace {

constexpr std::size_t block = 4096;

}  // namespace

Status weight_statistics(View<const float> weights, WeightStatistics& statistics) noexcept {
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  const CanonicalFloats canonical;
  double mean = 0;
  double squares = 0;
  std::int32_t largest = 0;
  for (std::size_t i = 0; i < weights.size(); i += block) {
    const std::size_t n = std::min(block, weights.size() - i);
    BlockMoments moments;
    table->block_moments(weights.data() + i, n, moments);
    if (moments.largest >= infinity_magnitude) return Status::not_finite;
    largest = std::max(largest, moments.largest);
    const double before = static_cast<double>(i);
    const double own = static_cast<double>(n);
    const double share = own / (before + own);
    const double difference = moments.sum / own - mean;
    mean += difference * share;
    squares += moments.squares + difference * difference * (before * share);
  }
  statistics.mean = mean;
  statistics.deviation = weights.size() > 0 ? std::sqrt(squares / static_cast<double>(weights.size())) : 0;
  std::memcpy(&statistics.largest, &largest, sizeof(largest));
  return Status::ok;
}

Status counts_at_least(View<const float> weights, View<const float> thresholds, View<std::int64_t> counts) noexcept {
  if (counts.size() != thresholds.size()) return Status::counts_size;
  for (const float threshold : thresholds) {
    if (std::isnan(threshold)) return Status::not_a_number;
  }
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  std::fill(counts.begin(), counts.end(), std::int64_t{0});
  for (std::size_t i = 0; i < weights.size(); i += block) {
    std::int32_t magnitudes[block];
    const std::size_t n = std::min(block, weights.size() - i);
    if (table->magnitudes(weights.data() + i, n, magnitudes) > infinity_magnitude) return Status::not_a_number;
    for (std::size_t t = 0; t < thresholds.size(); ++t) {
      std::int32_t bits = 0;
      if (thresholds[t] > 0) std::memcpy(&bits, &thresholds[t], sizeof(bits));
      counts[t] += table->count_above(magnitudes, n, bits - 1);
    }
  }
  return Status::ok;
}

}  // namespace rlcompress
