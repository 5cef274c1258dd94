#include <rlcompress/matmul.hpp>

#include <algorithm>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "core/sparse_packing.hpp"

namespace rlcompress {

Status SparseMatrix::gradient(View<const float> x, View<const float> dy, std::size_t columns,
                              View<float> out) const noexcept {
  if (layout_ != SparseLayout::rows || columns % 16 != 0 || columns > std::size_t{1} << 31 ||
      x.size() != inputs_ * columns || dy.size() != outputs_ * columns || out.size() != nonzeros_) {
    return Status::matrix_shape;
  }
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  if (columns == 0) std::fill(out.begin(), out.end(), 0.0F);
  const CanonicalFloats floats;
  for (std::size_t column = 0; column < columns; column += sddmm_tile) {
    for (const Block* block = blocks_; block < blocks_ + block_count_; ++block) {
      const bool fetch = columns == sddmm_tile && block + 1 < blocks_ + block_count_;
      table->sddmm_rows(
          {columns_ + block->entry, runs_ + block->run, block->runs, x.data() + block->column * columns + column,
           dy.data() + column, columns, std::min(sddmm_tile, columns - column), out.data() + block->entry, column > 0,
           fetch ? x.data() + block[1].column * columns : nullptr, fetch ? block[1].columns * columns : 0});
    }
  }
  return Status::ok;
}

}  // namespace rlcompress
