// Training on kept weights: gradients against their documented order, everything else the same bits on every target.
// Arrays end where their values end, so that sanitizers see what lies beyond.
#include <rlcompress/rlcompress.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "check.hpp"

namespace {

using rlcompress::SparseLayout;
using rlcompress::SparseMatrix;
using rlcompress::Status;
using rlcompress::View;
using Floats = std::vector<float>;

Floats waves(std::size_t size, float pace) {
  Floats values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = std::sin(pace * static_cast<float>(i));
  return values;
}

// The documented sum of one entry: tiles of 128 columns, in each 16 sums that are added by halves.
float gradient_of(const float* x, const float* dy, std::size_t columns) {
  float total = 0.0F;
  for (std::size_t tile = 0; tile < columns; tile += 128) {
    float s[16] = {};
    for (std::size_t b = tile; b < columns && b < tile + 128; ++b) s[b % 16] = std::fmaf(dy[b], x[b], s[b % 16]);
    for (std::size_t h = 8; h > 0; h /= 2) {
      for (std::size_t i = 0; i < h; ++i) s[i] = s[i] + s[i + h];
    }
    total = tile == 0 ? s[0] : total + s[0];
  }
  return total;
}

// Each weight is its own place, so that the packed values say where their gradients belong.
void check_gradient(std::size_t outputs, std::size_t inputs, unsigned keep_each, std::size_t columns) {
  Floats weights(outputs * inputs);
  const std::unique_ptr<bool[]> mask(new bool[weights.size()]);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<float>(i);
    mask[i] = i * 2654435761U % 1000003U % keep_each == 0;
  }
  std::size_t bytes = 0;
  const rlcompress::MaskedWeights source{weights, {mask.get(), weights.size()}, outputs, inputs};
  CHECK(SparseMatrix::packed_bytes(source, SparseLayout::rows, bytes) == Status::ok);
  std::vector<std::uint8_t> memory(bytes + 64);
  auto* const start = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  SparseMatrix matrix;
  CHECK(SparseMatrix::pack(source, SparseLayout::rows, {start, bytes}, matrix) == Status::ok);
  const Floats x = waves(inputs * columns, 1.0F);
  const Floats dy = waves(outputs * columns, 0.7F);
  Floats found(matrix.nonzeros(), std::nanf(""));
  CHECK(matrix.gradient(x, dy, columns, found) == Status::ok);
  for (std::size_t e = 0; e < found.size(); ++e) {
    const auto place = static_cast<std::size_t>(matrix.values()[e]);
    const float* const slope = dy.data() + place / inputs * columns;
    const float wanted = gradient_of(x.data() + place % inputs * columns, slope, columns);
    CHECK_THAT(std::memcmp(&found[e], &wanted, sizeof(wanted)) == 0, "%zu x %zu, columns %zu, entry %zu, target %s",
               outputs, inputs, columns, e, rlcompress::active_target());
  }
}

void append(Floats& all, const Floats& values) { all.insert(all.end(), values.begin(), values.end()); }

// The rest of a step on n values, and on (classes, columns) outputs.
Floats rest_of_step(std::size_t n, std::size_t classes, std::size_t columns) {
  Floats all;
  Floats weights = waves(n, 1.0F);
  const Floats gradient = waves(n, 0.3F);
  Floats velocity = waves(n, 0.2F);
  Floats square(n, 0.25F);
  CHECK(rlcompress::sgd_update(weights, gradient, {}, 0.1F, 0.0F) == Status::ok);
  CHECK(rlcompress::sgd_update(weights, gradient, velocity, 0.1F, 0.9F) == Status::ok);
  CHECK(rlcompress::adam_update(weights, gradient, velocity, square, {}) == Status::ok);
  for (const Floats* const part : {&weights, &velocity, &square}) append(all, *part);
  for (std::uint8_t activation = 0; activation < 3; ++activation) {
    Floats y = waves(classes * columns, 1.1F);
    Floats dy = waves(classes * columns, 0.9F);
    Floats sums(classes);
    CHECK(rlcompress::activate(activation, y) == Status::ok);
    CHECK(rlcompress::activation_slope(activation, y, dy, sums) == Status::ok);
    Floats turned(classes * columns + 3 * columns);
    CHECK(rlcompress::transpose(dy, classes, columns, classes + 3, turned) == Status::ok);
    for (const Floats* const part : {&y, &dy, &sums, &turned}) append(all, *part);
  }
  std::vector<std::int64_t> labels(columns - 5);
  for (std::size_t b = 0; b < labels.size(); ++b) labels[b] = static_cast<std::int64_t>(b % classes);
  Floats slope(classes * columns);
  Floats largest(labels.size());
  Floats sums(labels.size());
  const Floats y = waves(classes * columns, 1.3F);
  CHECK(rlcompress::cross_entropy(y, columns, labels, slope, largest, sums) == Status::ok);
  for (const Floats* const part : {&slope, &largest, &sums}) append(all, *part);
  return all;
}

}  // namespace

int main() {
  Floats first;
  for (std::size_t t = 0; t < rlcompress::target_count(); ++t) {
    if (!rlcompress::target_available(t)) continue;
    CHECK(rlcompress::force_target(rlcompress::target_name(t)) == Status::ok);
    for (const std::size_t columns : std::initializer_list<std::size_t>{16, 48, 128, 144, 272}) {
      check_gradient(1, 7, 1, columns);
      check_gradient(33, 130, 3, columns);
      check_gradient(20, 700, 40, columns);  // several blocks of inputs
    }
    Floats found;
    for (const std::size_t n : std::initializer_list<std::size_t>{1, 7, 16, 61}) {
      append(found, rest_of_step(n, n, 16));
      append(found, rest_of_step(n, n, 144));
    }
    if (first.empty()) first = found;
    CHECK_THAT(
        found.size() == first.size() && std::memcmp(found.data(), first.data(), found.size() * sizeof(float)) == 0,
        "target %s", rlcompress::active_target());
  }
  return test::report();
}
