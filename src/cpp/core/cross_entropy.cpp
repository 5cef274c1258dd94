#include <rlcompress/training.hpp>

#include <algorithm>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"

namespace rlcompress {
namespace {

constexpr std::size_t together = 64;  // columns at a time, so that what is written is read while it is near

struct Columns {
  const float* y;
  float* slope;
  std::size_t stride;
  std::size_t classes;
  std::size_t count;  // at most `together`
};

// Writes exp(y - largest) to `slope`, and its sums over the classes, rising.
void exponentials(const KernelTable& table, const Columns& c, float* largest, float* sum) noexcept {
  std::copy_n(c.y, c.count, largest);
  for (std::size_t k = 1; k < c.classes; ++k) {
    const float* const y = c.y + k * c.stride;
    for (std::size_t b = 0; b < c.count; ++b) largest[b] = y[b] > largest[b] ? y[b] : largest[b];
  }
  std::fill_n(sum, c.count, 0.0F);
  for (std::size_t k = 0; k < c.classes; ++k) {
    const float* const y = c.y + k * c.stride;
    float* const e = c.slope + k * c.stride;
    for (std::size_t b = 0; b < c.count; ++b) e[b] = y[b] - largest[b];
    table.exp(e, c.count);
    for (std::size_t b = 0; b < c.count; ++b) sum[b] += e[b];
  }
}

// Turns exponentials into slopes.
void slopes(const Columns& c, const std::int64_t* labels, const float* sum, float share) noexcept {
  for (std::size_t k = 0; k < c.classes; ++k) {
    float* const e = c.slope + k * c.stride;
    for (std::size_t b = 0; b < c.count; ++b) e[b] = e[b] / sum[b] * share;
  }
  for (std::size_t b = 0; b < c.count; ++b) c.slope[static_cast<std::size_t>(labels[b]) * c.stride + b] -= share;
}

}  // namespace

Status cross_entropy(View<const float> y, std::size_t columns, View<const std::int64_t> labels, View<float> slope,
                     View<float> largest, View<float> sums) noexcept {
  const std::size_t batch = labels.size();
  if (batch == 0 || columns < batch || y.size() == 0 || y.size() % columns != 0 || slope.size() != y.size() ||
      largest.size() != batch || sums.size() != batch) {
    return Status::matrix_shape;
  }
  const std::size_t classes = y.size() / columns;
  for (const std::int64_t label : labels) {
    if (label < 0 || static_cast<std::uint64_t>(label) >= classes) return Status::unknown_value;
  }
  Status status = Status::ok;
  const KernelTable* const table = active_table(status);
  if (table == nullptr) return status;
  const CanonicalFloats floats;
  const float share = 1.0F / static_cast<float>(batch);
  for (std::size_t b = 0; b < batch; b += together) {
    const Columns c{y.data() + b, slope.data() + b, columns, classes, std::min(together, batch - b)};
    exponentials(*table, c, largest.data() + b, sums.data() + b);
    slopes(c, labels.data() + b, sums.data() + b, share);
  }
  for (std::size_t k = 0; k < classes; ++k) std::fill_n(slope.data() + k * columns + batch, columns - batch, 0.0F);
  return Status::ok;
}

}  // namespace rlcompress
