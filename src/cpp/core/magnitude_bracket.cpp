// The bracket of a ranking, from a sample (Floyd and Rivest 1975: a sample of n^(2/3) balances its own cost against
// that of the elements it leaves undecided).
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/magnitude_cut.hpp"

namespace rlcompress {
namespace {

constexpr std::size_t run = 4;  // elements drawn together: one miss of the cache brings them all

// One run from each stratum of all weights, at a pseudo-random place so that periodic data cannot hide.
std::int32_t draw_sample(const CompressionTable& table, WeightArrays weights, std::uint64_t total, std::int32_t* sample,
                         std::size_t size) noexcept {
  const std::size_t runs = size / run;
  const std::uint64_t stratum = total / runs;
  const std::uint64_t spread = stratum - (run - 1);
  const std::uint64_t rest = total % runs;
  std::uint64_t random = 0x9E3779B97F4A7C15U;
  std::uint64_t left_over = 0;
  std::uint64_t start = 0;  // of the stratum
  std::size_t array = 0;
  std::uint64_t first = 0;  // index of the array's element 0 among all
  float* const drawn = reinterpret_cast<float*>(sample);
  for (std::size_t i = 0; i < runs; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    std::uint64_t at = start + (((random >> 32) * spread) >> 32);
    while (at - first >= weights[array].size()) first += weights[array++].size();
    if (at - first + run <= weights[array].size()) {
      std::memcpy(drawn + i * run, weights[array].data() + (at - first), run * sizeof(float));
    } else {
      for (std::size_t k = 0; k < run; ++k, ++at) {
        while (at - first >= weights[array].size()) first += weights[array++].size();
        drawn[i * run + k] = weights[array][static_cast<std::size_t>(at - first)];
      }
    }
    start += stratum;
    left_over += rest;
    if (left_over >= runs) left_over -= runs, ++start;
  }
  return table.magnitudes(drawn, runs * run, sample);
}

struct Sample {
  const CompressionTable& table;
  const std::int32_t* magnitudes;
  std::size_t size;

  double above(std::int32_t bound) const noexcept { return table.count_above(magnitudes, size, bound); }

  // At most `most` of the sample above it, and nearly so many if ties allow.
  std::int32_t upper(std::int32_t largest, double most, double slack) const noexcept {
    if (most < 0) return infinity_magnitude;
    std::int32_t low = -1;
    std::int32_t high = largest;
    while (high - low > 1) {
      const std::int32_t middle = low + (high - low) / 2;
      const double count = above(middle);
      (count <= most ? high : low) = middle;
      if (count <= most && count >= most - slack) break;
    }
    return high;
  }

  // Below `high`, at least `least` of the sample above it, and hardly more if ties allow.
  std::int32_t lower(std::int32_t high, double least, double slack) const noexcept {
    if (least >= static_cast<double>(size)) return -1;
    std::int64_t step = 1 << 14;
    std::int32_t low = high;
    for (double count = 0; count < least; step *= 4) {
      high = low;
      low = static_cast<std::int32_t>(std::max<std::int64_t>(-1, low - step));
      count = above(low);
      if (count >= least && count <= least + slack) return low;
    }
    while (high - low > 1) {
      const std::int32_t middle = low + (high - low) / 2;
      const double count = above(middle);
      (count < least ? high : low) = middle;
      if (count >= least && count <= least + slack) break;
    }
    return low;
  }
};

}  // namespace

Bracket guess_bracket(const CompressionTable& table, WeightArrays weights, std::uint64_t total, std::uint64_t keep,
                      View<std::uint64_t> scratch) noexcept {
  const double all = static_cast<double>(total);
  const double root = std::cbrt(all);
  const auto wanted = static_cast<std::size_t>(2 * root * root);
  const std::size_t size = std::min(wanted, 2 * scratch.size()) / run * run;
  auto* const magnitudes = reinterpret_cast<std::int32_t*>(scratch.data());
  const std::int32_t largest = std::min(infinity_magnitude, draw_sample(table, weights, total, magnitudes, size));
  const Sample sample{table, magnitudes, size};
  const double scale = all / static_cast<double>(size);
  const double rank = static_cast<double>(keep) / scale;
  const double deviation = std::sqrt(rank * (1 - rank / static_cast<double>(size)));
  const double room = 0.4 * static_cast<double>(scratch.size()) / scale;
  const double margin = std::clamp(room, deviation, 3 * deviation + 1);
  const double slack = margin / 8;
  Bracket bracket{};
  bracket.high = sample.upper(largest, rank - margin, slack);
  bracket.low = sample.lower(bracket.high, rank + margin, slack);
  bracket.between = (sample.above(bracket.low) - sample.above(bracket.high)) * scale;
  return bracket;
}

}  // namespace rlcompress
