// Where a ranking of magnitudes is cut. Magnitudes are handled as integers: the bits of |w| rise with |w|.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

#include "kernels/compression_table.hpp"

namespace rlcompress {

using WeightArrays = View<const View<const float>>;

inline constexpr std::int32_t infinity_magnitude = 0x7F800000;  // above it: NaN

// Kept are all magnitudes above `over`, and the first `ties` of exactly `over`.
struct Cut {
  std::int32_t over;
  std::uint64_t ties;
};

// A range low < m <= high that very probably holds the keep-th largest magnitude.
struct Bracket {
  std::int32_t low;
  std::int32_t high;
  double between;  // how many weights it holds, estimated
};

// From a sample that is drawn into the scratch memory; total > direct_capacity, 0 < keep < total.
Bracket guess_bracket(const CompressionTable& table, WeightArrays weights, std::uint64_t total, std::uint64_t keep,
                      View<std::uint64_t> scratch) noexcept;

// Few weights are ranked in a copy of their magnitudes. `exact`: over is the keep-th largest magnitude itself.
inline constexpr std::size_t direct_capacity = 4096;
Status cut_directly(const CompressionTable& table, WeightArrays weights, std::uint64_t keep, bool exact,
                    Cut& cut) noexcept;

// Counting passes over all weights, beginning with a range: a handful is the worst case whatever the data. `cut.over`
// is the keep-th largest magnitude, 1 <= keep <= total.
Status cut_by_counting(const CompressionTable& table, WeightArrays weights, std::uint64_t keep, MagnitudeRange range,
                       Cut& cut) noexcept;

// Among the entries that a sift has noted (bits << 32 | index, all low < bits <= high), 1 <= keep <= found.size().
Cut cut_found(const CompressionTable& table, View<const std::uint64_t> found, std::int32_t low, std::int32_t high,
              std::uint64_t keep) noexcept;

}  // namespace rlcompress
