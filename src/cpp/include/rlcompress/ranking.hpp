// Magnitude ranking over a list of weight arrays, without copying or allocating. Exact on every target; ties keep the
// lower index, counted through the arrays in their order. Infinities are the largest magnitudes, NaN is refused.
//
// A mask is either one bool per weight or one bit: of element i bit i % 8 of byte i / 8, in ceil(n / 8) bytes per
// array, where the last byte's unused bits are 0.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

namespace rlcompress {

struct MagnitudeThreshold {
  float magnitude = 0;   // the keep-th largest |w|; infinity for keep = 0
  std::size_t ties = 0;  // how many weights of exactly this magnitude belong to the kept ones
};

// keep: 0..total size.
Status magnitude_threshold(View<const View<const float>> weights, std::size_t keep,
                           MagnitudeThreshold& threshold) noexcept;

// How many words of scratch memory let keep_largest work in one pass over so many weights, whatever it keeps: none up
// to 65,536 weights, 16,384 at a million, below 2 % of the weights' bytes from ten millions on. Fewer give the same
// masks, later.
std::size_t ranking_scratch(std::size_t total) noexcept;

// Keeps the `keep` largest magnitudes. One mask per weight array, of the size that belongs to it; undefined after an
// error.
Status keep_largest(View<const View<const float>> weights, std::size_t keep, View<const View<bool>> masks,
                    View<std::uint64_t> scratch = {}) noexcept;
Status keep_largest(View<const View<const float>> weights, std::size_t keep, View<const View<std::uint8_t>> masks,
                    View<std::uint64_t> scratch = {}) noexcept;

// Keeps |w| >= threshold. The mask is undefined after an error.
Status keep_at_least(View<const float> weights, float threshold, View<bool> mask) noexcept;
Status keep_at_least(View<const float> weights, float threshold, View<std::uint8_t> mask) noexcept;

}  // namespace rlcompress
