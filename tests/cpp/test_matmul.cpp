// Sparse products against chains of std::fma in every layout on every target; that they never allocate; refusals.
#include <rlcompress/rlcompress.hpp>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"

namespace {

using rlcompress::MaskedWeights;
using rlcompress::SparseLayout;
using rlcompress::SparseMatrix;
using rlcompress::Status;
using rlcompress::View;
using Floats = std::vector<float>;

// No byte more than asked for, so that sanitizers see reads and writes beyond.
struct Memory {
  explicit Memory(std::size_t bytes) : start(static_cast<std::uint8_t*>(::operator new(bytes, line))) {}
  ~Memory() { ::operator delete(start, line); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  static constexpr std::align_val_t line{64};
  std::uint8_t* start;
};

struct Source {
  Source(std::size_t rows, std::size_t columns, double density, bool blocks, unsigned seed)
      : outputs(rows), inputs(columns), weights(rows * columns), mask(new bool[rows * columns + 1]) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::bernoulli_distribution keep(density);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = normal(random);
      mask[i] = keep(random);
      if (blocks) mask[i] = mask[i / columns / 16 * 16 * columns + i % columns];
    }
  }
  MaskedWeights view() const { return {weights, {mask.get(), weights.size()}, outputs, inputs}; }
  std::size_t outputs;
  std::size_t inputs;
  Floats weights;
  std::unique_ptr<bool[]> mask;
};

// Inputs of n columns, infinite where no output keeps one.
Floats inputs_of(const Source& source, std::size_t n) {
  Floats x(source.inputs * n);
  for (std::size_t i = 0; i < x.size(); ++i) {
    bool kept = false;
    for (std::size_t j = 0; j < source.outputs; ++j) kept = kept || source.mask[j * source.inputs + i / n];
    x[i] = kept ? std::sin(static_cast<float>(i)) : INFINITY;
  }
  return x;
}

void check_product(const Source& source, SparseLayout layout, std::size_t n) {
  const Floats x = inputs_of(source, n);
  Floats bias(source.outputs, 0.5F);
  Floats wanted(source.outputs * n, 0.5F);
  for (std::size_t j = 0; j < source.outputs; ++j) {
    for (std::size_t k = 0; k < source.inputs; ++k) {
      if (!source.mask[j * source.inputs + k]) continue;
      for (std::size_t c = 0; c < n; ++c) {
        wanted[j * n + c] = std::fmaf(source.weights[j * source.inputs + k], x[k * n + c], wanted[j * n + c]);
      }
    }
  }
  std::size_t bytes = 0;
  CHECK(SparseMatrix::packed_bytes(source.view(), layout, bytes) == Status::ok);
  const Memory memory(bytes);
  const Memory workspace(SparseMatrix::workspace_bytes());
  Floats y(source.outputs * n, std::nanf(""));
  SparseMatrix matrix;
  const std::size_t before = test::allocations();
  const Status packed = SparseMatrix::pack(source.view(), layout, {memory.start, bytes}, matrix);
  const Status status = matrix.multiply(x, n, bias, y, {workspace.start, SparseMatrix::workspace_bytes()});
  CHECK(test::allocations() == before);
  CHECK(packed == Status::ok && status == Status::ok);
  CHECK_THAT(y.empty() || std::memcmp(y.data(), wanted.data(), y.size() * sizeof(float)) == 0,
             "%zu x %zu, n %zu, layout %d, target %s", source.outputs, source.inputs, n, static_cast<int>(layout),
             rlcompress::active_target());
}

void check_refusals() {
  const Source source(20, 30, 0.5, false, 1);
  std::size_t bytes = 0;
  CHECK(SparseMatrix::packed_bytes(source.view(), SparseLayout::blocks, bytes) == Status::not_in_blocks);
  MaskedWeights wrong = source.view();
  wrong.outputs = 21;
  CHECK(SparseMatrix::packed_bytes(wrong, SparseLayout::rows, bytes) == Status::matrix_shape);
  CHECK(SparseMatrix::packed_bytes(source.view(), SparseLayout::rows, bytes) == Status::ok);
  const Memory memory(bytes + 4);
  SparseMatrix matrix;
  CHECK(SparseMatrix::pack(source.view(), SparseLayout::rows, {memory.start, bytes - 1}, matrix) ==
        Status::matrix_memory);
  CHECK(SparseMatrix::pack(source.view(), SparseLayout::rows, {memory.start + 4, bytes}, matrix) ==
        Status::matrix_memory);
  CHECK(SparseMatrix::pack(source.view(), SparseLayout::rows, {memory.start, bytes}, matrix) == Status::ok);
  Floats values(100);
  const Memory workspace(SparseMatrix::workspace_bytes());
  const View<std::uint8_t> room(workspace.start, SparseMatrix::workspace_bytes());
  const View<float> x(values.data(), 30);
  const View<float> y(values.data() + 30, 20);
  CHECK(matrix.multiply(x, 1, {}, y, room) == Status::ok);
  CHECK(matrix.multiply(x, 2, {}, y, room) == Status::matrix_shape);
  CHECK(matrix.multiply(x, 1, View<const float>(values.data() + 60, 3), y, room) == Status::matrix_shape);
  CHECK(matrix.multiply(x, 1, {}, View<float>(values.data() + 29, 20), room) == Status::overlap);
  CHECK(matrix.multiply(x, 1, {}, y, {workspace.start, 10}) == Status::workspace_size);
  CHECK(matrix.gradient(x, y, 1, values) == Status::matrix_shape);
}

}  // namespace

int main() {
  for (std::size_t t = 0; t < rlcompress::target_count(); ++t) {
    if (!rlcompress::target_available(t)) continue;
    CHECK(rlcompress::force_target(rlcompress::target_name(t)) == Status::ok);
    for (const std::size_t rows : std::initializer_list<std::size_t>{0, 1, 15, 17, 100, 1030}) {
      for (const std::size_t columns : std::initializer_list<std::size_t>{0, 1, 129, 300}) {
        for (const bool blocks : {false, true}) {
          const Source source(rows, columns, 0.1, blocks, static_cast<unsigned>(rows + columns));
          for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 5, 8, 33, 130}) {
            if (rows > 1000 && n > 8) continue;
            check_product(source, SparseLayout::rows, n);
            check_product(source, SparseLayout::slices, n);
            if (blocks) check_product(source, SparseLayout::blocks, n);
          }
        }
      }
    }
    const Source wide(70, 2100, 0.1, false, 3);  // several blocks of inputs in every layout but `blocks`
    for (const std::size_t n : std::initializer_list<std::size_t>{1, 3, 8, 64, 70}) {
      check_product(wide, SparseLayout::rows, n);
      check_product(wide, SparseLayout::slices, n);
    }
    for (const std::size_t n : std::initializer_list<std::size_t>{33, 128, 130}) {
      check_product(Source(100, 900, 0.05, false, 3), SparseLayout::rows, n);
    }
    for (const std::size_t rows : std::initializer_list<std::size_t>{9, 30, 100}) {  // slices of all lengths, and full
      Source ends(rows, 40, 0.3, false, 4);
      for (std::size_t j = 0; j < rows; ++j) ends.mask[j * 40] = ends.mask[j * 40 + 39] = false;
      for (const std::size_t n : std::initializer_list<std::size_t>{1, 2, 8, 9, 16}) {
        check_product(ends, SparseLayout::rows, n);
        check_product(ends, SparseLayout::slices, n);
      }
    }
    check_refusals();
  }
  return test::report();
}
