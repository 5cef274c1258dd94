#include <rlcompress/ranking.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/dispatch.hpp"
#include "core/magnitude_cut.hpp"

namespace rlcompress {
namespace {

constexpr std::size_t own_scratch = 2048;  // on the stack, where the caller gives none

std::uint64_t size_of(WeightArrays weights) noexcept {
  std::uint64_t total = 0;
  for (const View<const float>& w : weights) total += w.size();
  return total;
}

std::int32_t magnitude(float w) noexcept {
  const float absolute = std::fabs(w);
  std::int32_t bits;
  std::memcpy(&bits, &absolute, sizeof(bits));
  return bits;
}

Status status_of(const SiftCount& count) noexcept {
  return count.largest > infinity_magnitude ? Status::not_a_number : Status::ok;
}

// The masks of a list of weights, in either form.
template <class Element>
struct Masks {
  static constexpr bool packed = !std::is_same_v<Element, bool>;
  View<const View<Element>> views;

  std::uint8_t* data(std::size_t array) const noexcept { return reinterpret_cast<std::uint8_t*>(views[array].data()); }
  bool fit(WeightArrays weights) const noexcept {
    if (views.size() != weights.size()) return false;
    for (std::size_t a = 0; a < views.size(); ++a) {
      const std::size_t n = weights[a].size();
      if (views[a].size() != (packed ? n / 8 + (n % 8 != 0 ? 1 : 0) : n)) return false;
    }
    return true;
  }
  void set(std::uint8_t* mask, std::size_t i, bool kept) const noexcept {
    if constexpr (packed) {
      mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | (kept ? 1U : 0U) << (i % 8));
    } else {
      mask[i] = kept ? 1 : 0;
    }
  }
};

SiftCall call_of(View<const float> w, std::uint8_t* mask, bool packed, std::int32_t low, std::int32_t high) noexcept {
  SiftCall call{};
  call.w = w.data();
  call.n = w.size();
  call.low = low;
  call.high = high;
  call.bits = packed;
  call.mask = mask;
  return call;
}

// One mask after a cut without ties, or with as many as `ties` allows: the block where they run out is written once
// more.
template <class Element>
void write_mask(const CompressionTable& table, Masks<Element> masks, View<const float> w, std::uint8_t* mask, Cut& cut,
                SiftCount& count) noexcept {
  constexpr std::size_t block = 4096;
  for (std::size_t i = 0; i < w.size();) {
    const std::size_t n = cut.ties > 0 ? std::min(block, w.size() - i) : w.size() - i;
    std::uint8_t* const at = mask + (masks.packed ? i / 8 : i);
    const View<const float> part(w.data() + i, n);
    SiftCall call = call_of(part, at, masks.packed, cut.over - (cut.ties > 0 ? 1 : 0), cut.over);
    call.keep_between = true;
    const std::uint64_t before = count.between;
    table.sift_magnitudes(call, count);
    const std::uint64_t ties = count.between - before;
    if (ties > cut.ties) {
      call.keep_between = false;
      table.sift_magnitudes(call, count);
      for (std::size_t k = 0; cut.ties > 0; ++k) {
        if (magnitude(part[k]) != cut.over) continue;
        masks.set(at, k, true);
        --cut.ties;
      }
    } else {
      cut.ties -= ties;
    }
    i += n;
  }
}

template <class Element>
Status write_masks(const CompressionTable& table, WeightArrays weights, Masks<Element> masks, Cut cut) noexcept {
  SiftCount count{};
  for (std::size_t a = 0; a < weights.size(); ++a) write_mask(table, masks, weights[a], masks.data(a), cut, count);
  return status_of(count);
}

// Decides the elements that the sift has noted, in their order.
template <class Element>
void settle(WeightArrays weights, Masks<Element> masks, View<const std::uint64_t> found, Cut cut) noexcept {
  std::size_t array = 0;
  std::uint64_t first = 0;
  for (const std::uint64_t entry : found) {
    const std::uint64_t index = entry & 0xFFFFFFFFU;
    const auto m = static_cast<std::int32_t>(entry >> 32);
    while (index - first >= weights[array].size()) first += weights[array++].size();
    bool kept = m > cut.over;
    if (m == cut.over && cut.ties > 0) {
      kept = true;
      --cut.ties;
    }
    masks.set(masks.data(array), static_cast<std::size_t>(index - first), kept);
  }
}

// One pass writes all masks but for the elements inside the bracket. False: the bracket missed, or holds too many.
template <class Element>
bool keep_in_one_pass(const CompressionTable& table, WeightArrays weights, std::uint64_t keep, Masks<Element> masks,
                      const Bracket& bracket, View<std::uint64_t> scratch, Status& status) noexcept {
  SiftCount count{};
  std::uint64_t first = 0;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    SiftCall call = call_of(weights[a], masks.data(a), masks.packed, bracket.low, bracket.high);
    call.found = scratch.data();
    call.capacity = scratch.size();
    call.first = static_cast<std::uint32_t>(first);
    table.sift_magnitudes(call, count);
    if (count.taken > scratch.size()) return false;
    first += weights[a].size();
  }
  status = status_of(count);
  if (status != Status::ok) return true;
  if (keep < count.above || keep > count.above + count.taken) return false;
  const View<const std::uint64_t> found(scratch.data(), count.taken);
  Cut cut{bracket.high, 0};
  if (keep > count.above) cut = cut_found(table, found, bracket.low, bracket.high, keep - count.above);
  settle(weights, masks, found, cut);
  return true;
}

template <class Element>
Status keep_masks(WeightArrays weights, std::size_t keep, Masks<Element> masks, View<std::uint64_t> scratch) noexcept {
  if (!masks.fit(weights)) return Status::mask_size;
  const std::uint64_t total = size_of(weights);
  if (keep > total) return Status::keep_count;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  if (keep == 0 || keep == total) {
    return write_masks(*table, weights, masks, {keep == 0 ? infinity_magnitude : -1, 0});
  }
  Cut cut{};
  if (total <= direct_capacity) {
    status = cut_directly(*table, weights, keep, false, cut);
  } else {
    std::uint64_t own[own_scratch];
    if (scratch.size() < own_scratch) scratch = own;
    const Bracket bracket = guess_bracket(*table, weights, total, keep, scratch);
    const bool fits = bracket.between < 0.95 * static_cast<double>(scratch.size()) && total <= UINT32_MAX;
    if (fits && keep_in_one_pass(*table, weights, keep, masks, bracket, scratch, status)) return status;
    const auto low = static_cast<std::uint32_t>(bracket.low + 1);
    status = cut_by_counting(*table, weights, keep, {low, static_cast<std::uint32_t>(bracket.high), 0}, cut);
  }
  return status == Status::ok ? write_masks(*table, weights, masks, cut) : status;
}

template <class Element>
Status threshold_mask(View<const float> weights, float threshold, View<Element> mask) noexcept {
  const Masks<Element> masks{View<const View<Element>>(&mask, 1)};
  if (!masks.fit(WeightArrays(&weights, 1))) return Status::mask_size;
  if (std::isnan(threshold)) return Status::not_a_number;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  std::int32_t bits = 0;
  if (threshold > 0) std::memcpy(&bits, &threshold, sizeof(bits));
  return write_masks(*table, WeightArrays(&weights, 1), masks, {bits - 1, 0});
}

}  // namespace

std::size_t ranking_scratch(std::size_t total) noexcept {
  if (total <= 65536) return 0;
  const double root = std::cbrt(static_cast<double>(total));
  return std::min(static_cast<std::size_t>(2 * root * root), std::max<std::size_t>(16384, total / 100));
}

Status magnitude_threshold(WeightArrays weights, std::size_t keep, MagnitudeThreshold& threshold) noexcept {
  const std::uint64_t total = size_of(weights);
  if (keep > total) return Status::keep_count;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  Cut cut{};
  const std::uint64_t rank = std::clamp<std::uint64_t>(keep, 1, std::max<std::uint64_t>(total, 1));
  if (total <= direct_capacity) {
    if (total > 0) status = cut_directly(*table, weights, rank, true, cut);
  } else {
    std::uint64_t scratch[own_scratch];
    const Bracket bracket = guess_bracket(*table, weights, total, rank, scratch);
    const MagnitudeRange range{static_cast<std::uint32_t>(bracket.low + 1), static_cast<std::uint32_t>(bracket.high),
                               0};
    status = cut_by_counting(*table, weights, rank, range, cut);
  }
  if (status != Status::ok) return status;
  if (keep == 0) cut = {infinity_magnitude, 0};
  std::memcpy(&threshold.magnitude, &cut.over, sizeof(cut.over));
  threshold.ties = static_cast<std::size_t>(cut.ties);
  return Status::ok;
}

Status keep_largest(WeightArrays weights, std::size_t keep, View<const View<bool>> masks,
                    View<std::uint64_t> scratch) noexcept {
  return keep_masks(weights, keep, Masks<bool>{masks}, scratch);
}

Status keep_largest(WeightArrays weights, std::size_t keep, View<const View<std::uint8_t>> masks,
                    View<std::uint64_t> scratch) noexcept {
  return keep_masks(weights, keep, Masks<std::uint8_t>{masks}, scratch);
}

Status keep_at_least(View<const float> weights, float threshold, View<bool> mask) noexcept {
  return threshold_mask(weights, threshold, mask);
}

Status keep_at_least(View<const float> weights, float threshold, View<std::uint8_t> mask) noexcept {
  return threshold_mask(weights, threshold, mask);
}

}  // namespace rlcompress
