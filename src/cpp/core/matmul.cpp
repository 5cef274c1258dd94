#include <rlcompress/matmul.hpp>

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/dispatch.hpp"
#include "core/float_environment.hpp"
#include "core/overlap.hpp"
#include "core/sparse_packing.hpp"

namespace rlcompress {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t outputs_worth_copying = 64;  // each input is read outputs * density times

bool aligned_rows(const float* x, std::size_t columns) noexcept {
  return reinterpret_cast<std::uintptr_t>(x) % alignment == 0 && columns * sizeof(float) % alignment == 0;
}

// A panel of x in one piece and aligned, so that all of it stays near.
void copy_panel(SpmmCall& call, std::size_t rows, float* panel) noexcept {
  const std::size_t stride = !call.narrow ? (call.n + 15) / 16 * 16 : call.n == 1 ? 1 : narrow_panel;
  if (call.narrow) {
    std::memset(panel + rows * stride, 0, stride * sizeof(float));
    if (call.n < stride) std::memset(panel, 0, rows * stride * sizeof(float));
  }
  if (call.n == stride && call.x_stride == stride) {
    std::copy_n(call.x, rows * stride, panel);
    rows = 0;
  }
  for (std::size_t k = 0; k < rows; ++k) {
    std::memcpy(panel + k * stride, call.x + k * call.x_stride, call.n * sizeof(float));
  }
  call.x = panel;
  call.x_stride = stride;
}

}  // namespace

Status SparseMatrix::multiply(View<const float> x, std::size_t columns, View<const float> bias, View<float> y,
                              View<std::uint8_t> workspace) const noexcept {
  if (columns > std::size_t{1} << 31 || x.size() != inputs_ * columns || y.size() != outputs_ * columns ||
      (bias.size() != 0 && bias.size() != outputs_)) {
    return Status::matrix_shape;
  }
  const View<const float> out(y.data(), y.size());
  if (overlap(x, out) || overlap(bias, out)) return Status::overlap;
  if (workspace.size() < workspace_bytes()) return Status::workspace_size;
  Status status = Status::ok;
  const CompressionTable* const table = active_compression_table(status);
  if (table == nullptr) return status;
  if (y.size() == 0) return Status::ok;
  void* free = workspace.data();
  std::size_t space = workspace.size();
  auto* const panel = static_cast<float*>(std::align(alignment, 1, free, space));
  const bool rows = layout_ == SparseLayout::rows;
  const auto kernel = rows                              ? table->spmm_rows
                      : layout_ == SparseLayout::slices ? table->spmm_slices
                                                        : table->spmm_blocks;
  const std::size_t most = rows ? table->panel : columns;
  const bool narrow = layout_ == SparseLayout::slices && columns <= narrow_panel;
  const bool wide = rows && columns >= 16 && (columns > most || !aligned_rows(x.data(), columns));
  const bool copy = ((narrow || wide) && outputs_ >= outputs_worth_copying) || (narrow && columns == 1);
  const CanonicalFloats floats;
  for (std::size_t column = 0; column < columns; column += most) {
    for (const Block* block = blocks_; block < blocks_ + block_count_; ++block) {
      const std::size_t weights = block->entry * (layout_ == SparseLayout::blocks ? block_rows : 1);
      SpmmCall call{weights_ + weights,
                    columns_ + block->entry,
                    runs_ + block->run,
                    block->runs,
                    x.data() + block->column * columns + column,
                    columns,
                    y.data() + column,
                    columns,
                    bias.size() > 0 ? bias.data() : nullptr,
                    block == blocks_,
                    std::min(most, columns - column),
                    outputs_,
                    copy && narrow};
      if (copy) copy_panel(call, block->columns, panel);
      kernel(call);
    }
  }
  return Status::ok;
}

}  // namespace rlcompress
