// Magnitude ranking over a list of weight arrays, without copying or allocating. Exact on every target; ties keep the
// lower index, counted through the arrays in their order. Infinities are the largest magnitudes, NaN is refused.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>

namespace rlcompress {

struct MagnitudeThreshold {
  float magnitude = 0;   // the keep-th largest |w|; infinity for keep = 0
  std::size_t ties = 0;  // how many weights of exactly this magnitude belong to the kept ones
};

// keep: 0..total size.
Status magnitude_threshold(View<const View<const float>> weights, std::size_t keep,
                           MagnitudeThreshold& threshold) noexcept;

// Writes true for the `keep` largest magnitudes. One mask per weight array, of the same size; undefined after an error.
Status keep_largest(View<const View<const float>> weights, std::size_t keep, View<const View<bool>> masks) noexcept;

// Writes |w| >= threshold. The mask has the size of the weights and is undefined after an error.
Status keep_at_least(View<const float> weights, float threshold, View<bool> mask) noexcept;

}  // namespace rlcompress
