// Sparse matrix times dense columns: y = weight x (+ bias), float32, packed once into memory of the caller.
// Every element of y is one chain of fused multiply-adds over the kept weights of its row in index order, from the bias
// or +0: s = fma(w[j][k], x[k], s). The order depends on nothing else, so the bits are the same for every layout,
// target and number of columns. A kept weight takes part whatever its value; what the mask drops never does.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

namespace rlcompress {

// How the entries lie; results do not depend on it.
enum class SparseLayout : std::uint8_t {
  rows,    // row after row within blocks of inputs: for many columns
  slices,  // 8 rows side by side: for one column, or few
  blocks,  // whole blocks of 16 outputs with a common input, outputs counted from 0: for any number
};

// weights and mask: outputs x inputs, row-major. What the mask drops is not read.
struct MaskedWeights {
  View<const float> weights;
  View<const bool> mask;
  std::size_t outputs = 0;
  std::size_t inputs = 0;
};

struct SparseRun;

// A view of packed memory, which must outlive it.
class SparseMatrix {
 public:
  // Bytes that pack() needs, at an address that is a multiple of 64.
  static Status packed_bytes(const MaskedWeights& source, SparseLayout layout, std::size_t& bytes) noexcept;
  static Status pack(const MaskedWeights& source, SparseLayout layout, View<std::uint8_t> memory,
                     SparseMatrix& matrix) noexcept;

  std::size_t outputs() const noexcept { return outputs_; }
  std::size_t inputs() const noexcept { return inputs_; }
  std::size_t nonzeros() const noexcept { return nonzeros_; }

  // x: inputs x columns, y: outputs x columns, row-major; bias: outputs, or empty. `workspace` holds workspace_bytes().
  Status multiply(View<const float> x, std::size_t columns, View<const float> bias, View<float> y,
                  View<std::uint8_t> workspace) const noexcept;
  static constexpr std::size_t workspace_bytes() noexcept { return 66048; }

  // Layout rows only: the kept weights in the order of packing, for whoever trains them, ..
  View<float> values() const noexcept { return {weights_, layout_ == SparseLayout::rows ? nonzeros_ : 0}; }
  // .. and their gradient dy x^T in the same order. x: inputs x columns, dy: outputs x columns, columns a multiple
  // of 16. Per tile of 128 columns: sums of the columns b mod 16, fused and rising from +0, added as a tree by halves
  // (8, 4, 2, 1); tiles are added in order.
  Status gradient(View<const float> x, View<const float> dy, std::size_t columns, View<float> out) const noexcept;

  // Back into arrays of outputs x inputs: +0 and false where nothing is kept.
  Status unpack(View<float> weights, View<bool> mask) const noexcept;

 private:
  friend class SparsePacker;
  struct Block;
  SparseLayout layout_ = SparseLayout::rows;
  std::size_t outputs_ = 0;
  std::size_t inputs_ = 0;
  std::size_t nonzeros_ = 0;
  std::size_t block_count_ = 0;
  const Block* blocks_ = nullptr;
  const SparseRun* runs_ = nullptr;
  float* weights_ = nullptr;
  const std::uint16_t* columns_ = nullptr;
};

}  // namespace rlcompress
