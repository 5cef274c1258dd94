#include <rlcompress/ranking.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "core/dispatch.hpp"

namespace rlcompress {
namespace {

using Weights = View<const View<const float>>;

constexpr std::uint32_t infinity_bits = 0x7F800000U;
constexpr std::size_t bin_count = 2048;
constexpr std::size_t sample_capacity = 4096;
constexpr std::size_t chunk = std::size_t{1} << 30;  // so that the 32-bit counters of the kernels hold

struct Ranked {
  std::uint32_t bits;
  std::uint64_t ties;
};

std::uint32_t magnitude_bits(float w) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &w, sizeof(bits));
  return bits & 0x7FFFFFFFU;
}

// One element from each of `size` strata of all weights, at a pseudo-random place so that periodic data cannot hide.
void draw_sample(Weights weights, std::uint64_t total, std::uint32_t* sample, std::size_t size) noexcept {
  std::uint64_t random = 0x9E3779B97F4A7C15U;
  std::size_t array = 0;
  std::uint64_t first = 0;  // index of the array's element 0 among all
  const std::uint64_t stratum = total / size;
  const std::uint64_t rest = total % size;
  for (std::size_t i = 0; i < size; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t at = i * stratum + i * rest / size + (random >> 33) % stratum;
    while (at - first >= weights[array].size()) first += weights[array++].size();
    sample[i] = magnitude_bits(weights[array][static_cast<std::size_t>(at - first)]);
  }
}

// A range that very probably holds the keep-th largest magnitude; exactly that one if the sample is everything.
MagnitudeRange bracket(Weights weights, std::uint64_t total, std::uint64_t keep) noexcept {
  std::uint32_t sample[sample_capacity];
  const auto wanted = std::clamp<std::uint64_t>(total / 32, 256, sample_capacity);
  const auto size = static_cast<std::size_t>(std::min(total, wanted));
  draw_sample(weights, total, sample, size);
  const auto largest = [&](double rank) noexcept -> std::uint32_t {
    if (rank < 1) return infinity_bits;
    if (rank > static_cast<double>(size)) return 0;
    std::uint32_t* const at = sample + static_cast<std::size_t>(rank) - 1;
    std::nth_element(sample, at, sample + size, std::greater<>());
    return std::min(*at, infinity_bits);
  };
  const double rank = static_cast<double>(keep) * static_cast<double>(size) / static_cast<double>(total);
  const double deviation = std::sqrt(std::max(0.0, rank * (1 - rank / static_cast<double>(size))));
  const double margin = size == total ? 0 : 3 * deviation + 1;
  const std::uint32_t low = largest(rank + margin);
  return {low, size == total ? low : largest(rank - margin), 0};
}

MagnitudeCount count_all(const KernelTable& table, Weights weights, const MagnitudeRange& range,
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

// The keep-th largest, 1 <= keep <= total. Each round narrows the range to one bin, so a handful of passes is the worst
// case whatever the data; magnitudes on the range's two ends are settled at once, so heavy ties cost nothing.
Status rank(const KernelTable& table, Weights weights, std::uint64_t total, std::uint64_t keep, Ranked& out) noexcept {
  std::uint64_t bins[bin_count];
  MagnitudeRange range = bracket(weights, total, keep);
  for (;;) {
    range.shift = 0;
    while ((range.high - range.low) >> range.shift >= bin_count) ++range.shift;
    const MagnitudeCount count = count_all(table, weights, range, bins);
    if (count.largest > infinity_bits) return Status::not_a_number;
    if (keep <= count.above) {
      range = {range.high + 1, infinity_bits, 0};
    } else if (keep <= count.from_high) {
      out = {range.high, keep - count.above};
      return Status::ok;
    } else if (keep > count.from_low) {
      range = {0, range.low - 1, 0};
    } else {
      std::uint64_t larger = count.from_high;
      std::size_t b = bin_count;
      while (b > 0 && keep > larger + bins[b - 1]) larger += bins[--b];
      if (b == 0) {
        out = {range.low, keep - larger};
        return Status::ok;
      }
      const std::uint32_t low = range.low + 1 + (static_cast<std::uint32_t>(b - 1) << range.shift);
      if (range.shift == 0) {
        out = {low, keep - larger};
        return Status::ok;
      }
      range = {low, std::min(range.high - 1, low + ((1U << range.shift) - 1)), 0};
    }
  }
}

// keep = 0 ranks too, since that finds NaN.
Status check_and_rank(const KernelTable& table, Weights weights, std::size_t keep, Ranked& out) noexcept {
  std::uint64_t total = 0;
  for (const View<const float>& w : weights) total += w.size();
  if (keep > total) return Status::keep_count;
  out = {infinity_bits + 1, 0};
  if (total == 0) return Status::ok;
  Ranked found{};
  const Status status = rank(table, weights, total, std::max<std::uint64_t>(keep, 1), found);
  if (status == Status::ok && keep > 0) out = found;
  return status;
}

// One block of a mask, of which only the first `ties` elements of exactly the threshold stay.
void drop_ties(const float* w, std::size_t n, std::uint32_t threshold, std::uint64_t ties, bool* mask) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    if (magnitude_bits(w[i]) != threshold) continue;
    mask[i] = ties > 0;
    if (ties > 0) --ties;
  }
}

}  // namespace

Status magnitude_threshold(Weights weights, std::size_t keep, MagnitudeThreshold& threshold) noexcept {
  Status status = Status::ok;
  const KernelTable* const table = active_table(status);
  if (table == nullptr) return status;
  Ranked found{};
  status = check_and_rank(*table, weights, keep, found);
  if (status != Status::ok) return status;
  const std::uint32_t bits = std::min(found.bits, infinity_bits);
  std::memcpy(&threshold.magnitude, &bits, sizeof(bits));
  threshold.ties = static_cast<std::size_t>(found.ties);
  return Status::ok;
}

Status keep_largest(Weights weights, std::size_t keep, View<const View<bool>> masks) noexcept {
  if (masks.size() != weights.size()) return Status::mask_size;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    if (masks[a].size() != weights[a].size()) return Status::mask_size;
  }
  Status status = Status::ok;
  const KernelTable* const table = active_table(status);
  if (table == nullptr) return status;
  Ranked found{};
  status = check_and_rank(*table, weights, keep, found);
  if (status != Status::ok) return status;
  constexpr std::size_t block = 4096;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    for (std::size_t i = 0; i < weights[a].size(); i += block) {
      const float* const w = weights[a].data() + i;
      const std::size_t n = std::min(block, weights[a].size() - i);
      bool* const mask = masks[a].data() + i;
      MaskCount count{};
      const std::uint32_t from = found.ties > 0 ? found.bits : found.bits + 1;
      table->mask_magnitudes(w, n, from, reinterpret_cast<std::uint8_t*>(mask), count);
      if (from != found.bits) continue;
      if (count.equal > found.ties) drop_ties(w, n, found.bits, found.ties, mask);
      found.ties -= std::min<std::uint64_t>(found.ties, count.equal);
    }
  }
  return Status::ok;
}

Status keep_at_least(View<const float> weights, float threshold, View<bool> mask) noexcept {
  if (mask.size() != weights.size()) return Status::mask_size;
  if (std::isnan(threshold)) return Status::not_a_number;
  Status status = Status::ok;
  const KernelTable* const table = active_table(status);
  if (table == nullptr) return status;
  const std::uint32_t bits = threshold > 0 ? magnitude_bits(threshold) : 0;
  MaskCount count{};
  for (std::size_t i = 0; i < weights.size(); i += chunk) {
    const std::size_t n = std::min(chunk, weights.size() - i);
    table->mask_magnitudes(weights.data() + i, n, bits, reinterpret_cast<std::uint8_t*>(mask.data() + i), count);
  }
  return count.largest > infinity_bits ? Status::not_a_number : Status::ok;
}

}  // namespace rlcompress
