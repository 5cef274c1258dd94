#include "core/magnitude_cut.hpp"

#include <algorithm>

namespace rlcompress {
namespace {

constexpr std::size_t bin_count = 2048;
constexpr std::size_t chunk = std::size_t{1} << 30;  // so that the 32-bit counters of the kernels hold

MagnitudeCount count_all(const CompressionTable& table, WeightArrays weights, const MagnitudeRange& range,
                         std::uint64_t* bins) noexcept {
  std::uint32_t part[bin_count] = {};
  MagnitudeCount count{};
  std::fill(bins, bins + bin_count, std::uint64_t{0});
  std::size_t pending = 0;
  const auto flush = [&]() noexcept {
    for (std::size_t b = 0; b < bin_count; ++b) bins[b] += part[b];
    std::fill(part, part + bin_count, 0U);
    pending = 0;
  };
  for (const View<const float>& w : weights) {
    for (std::size_t i = 0; i < w.size(); i += chunk) {
      const std::size_t n = std::min(chunk, w.size() - i);
      if (pending + n > 2 * chunk) flush();
      table.count_magnitudes(range, w.data() + i, n, part, count);
      pending += n;
    }
  }
  flush();
  return count;
}

// All magnitudes lie in low < m <= high; 1 <= keep <= their number.
Cut bisect(const CompressionTable& table, View<const std::int32_t> magnitudes, std::int32_t low, std::int32_t high,
           std::uint64_t keep, bool exact) noexcept {
  const std::uint64_t most = exact ? keep - 1 : keep;
  if (magnitudes.size() <= most) return {low, 0};
  std::uint64_t above_high = 0;
  while (high - low > 1 &&
         (exact || above_high != keep)) {  // more than `most` are above `low`, the others above `high`
    const std::int32_t middle = low + (high - low) / 2;
    const std::uint64_t above = table.count_above(magnitudes.data(), magnitudes.size(), middle);
    if (above <= most) {
      high = middle;
      above_high = above;
    } else {
      low = middle;
    }
  }
  return {high, keep - above_high};
}

}  // namespace

Status cut_directly(const CompressionTable& table, WeightArrays weights, std::uint64_t keep, bool exact,
                    Cut& cut) noexcept {
  std::int32_t magnitudes[direct_capacity];
  std::size_t n = 0;
  std::int32_t largest = 0;
  for (const View<const float>& w : weights) {
    largest = std::max(largest, table.magnitudes(w.data(), w.size(), magnitudes + n));
    n += w.size();
  }
  if (largest > infinity_magnitude) return Status::not_a_number;
  cut = bisect(table, {magnitudes, n}, -1, largest, keep, exact);
  return Status::ok;
}

// Each round narrows the range to one bin; magnitudes on the range's two ends are settled at once, so heavy ties cost
// nothing.
Status cut_by_counting(const CompressionTable& table, WeightArrays weights, std::uint64_t keep, MagnitudeRange range,
                       Cut& cut) noexcept {
  constexpr auto infinity = static_cast<std::uint32_t>(infinity_magnitude);
  std::uint64_t bins[bin_count];
  const auto found = [&](std::uint32_t magnitude, std::uint64_t ties) noexcept {
    cut = {static_cast<std::int32_t>(magnitude), ties};
    return Status::ok;
  };
  for (;;) {
    range.shift = 0;
    while ((range.high - range.low) >> range.shift >= bin_count) ++range.shift;
    const MagnitudeCount count = count_all(table, weights, range, bins);
    if (count.largest > infinity) return Status::not_a_number;
    if (keep <= count.above) {
      range = {range.high + 1, infinity, 0};
    } else if (keep <= count.from_high) {
      return found(range.high, keep - count.above);
    } else if (keep > count.from_low) {
      range = {0, range.low - 1, 0};
    } else {
      std::uint64_t larger = count.from_high;
      std::size_t b = bin_count;
      while (b > 0 && keep > larger + bins[b - 1]) larger += bins[--b];
      if (b == 0) return found(range.low, keep - larger);
      const std::uint32_t low = range.low + 1 + (static_cast<std::uint32_t>(b - 1) << range.shift);
      if (range.shift == 0) return found(low, keep - larger);
      range = {low, std::min(range.high - 1, low + ((1U << range.shift) - 1)), 0};
    }
  }
}

Cut cut_found(const CompressionTable& table, View<const std::uint64_t> found, std::int32_t low, std::int32_t high,
              std::uint64_t keep) noexcept {
  if (found.size() <= direct_capacity) {
    std::int32_t magnitudes[direct_capacity];
    for (std::size_t i = 0; i < found.size(); ++i) magnitudes[i] = static_cast<std::int32_t>(found[i] >> 32);
    return bisect(table, {magnitudes, found.size()}, low, high, keep, false);
  }
  std::uint32_t bins[bin_count];
  auto first = static_cast<std::uint32_t>(low + 1);
  auto last = static_cast<std::uint32_t>(high);
  for (;;) {
    unsigned shift = 0;
    while ((last - first) >> shift >= bin_count) ++shift;
    std::fill(bins, bins + bin_count, 0U);
    for (const std::uint64_t entry : found) {
      const auto m = static_cast<std::uint32_t>(entry >> 32);
      if (m - first <= last - first) ++bins[(m - first) >> shift];
    }
    std::size_t b = (last - first) >> shift;
    for (; keep > bins[b]; --b) keep -= bins[b];
    first += static_cast<std::uint32_t>(b) << shift;
    if (shift == 0) return {static_cast<std::int32_t>(first), keep};
    last = std::min(last, first + ((1U << shift) - 1));
  }
}

}  // namespace rlcompress
