#include "core/sparse_packing.hpp"

#include <algorithm>
#include <cstring>

namespace rlcompress {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t window = 1024;       // runs that are sorted together,
constexpr std::size_t row_window = 64;     // and in rows: what the kernels write of y then stays near
constexpr std::size_t row_block = 256;     // inputs: fewer read x from a nearer cache, but y more often
constexpr std::size_t slice_block = 1024;  // inputs: a panel of narrow_panel columns then stays near
constexpr std::size_t index_range = 65536;

constexpr std::size_t aligned(std::size_t bytes) noexcept { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

// Lists and fills the runs of a matrix block by block, window by window.
class SparsePacker {
 public:
  SparsePacker(const MaskedWeights& source, SparseLayout layout) noexcept
      : source_(source),
        layout_(layout),
        group_rows_(layout == SparseLayout::blocks ? block_rows : 1),
        window_(layout == SparseLayout::rows ? row_window : window) {
    const std::size_t most = layout == SparseLayout::rows     ? row_block
                             : layout == SparseLayout::slices ? slice_block
                                                              : index_range;
    groups_ = (source.outputs + group_rows_ - 1) / group_rows_;
    blocks_ = source.inputs > 0 ? (source.inputs + most - 1) / most : 1;
    block_columns_ = (source.inputs + blocks_ - 1) / blocks_;
  }

  std::size_t measure() noexcept {
    SparseRun runs[window];
    for (std::size_t b = 0; b < blocks_; ++b) {
      for (std::size_t g = 0; g < groups_; g += window_) {
        const std::size_t n = list(b, g, runs);
        runs_ += n;
        entries_ += entries_of(runs, n);
      }
    }
    const std::size_t weights = entries_ * group_rows_ * sizeof(float);
    return aligned(blocks_ * sizeof(SparseMatrix::Block)) + aligned(runs_ * sizeof(SparseRun)) + aligned(weights) +
           aligned(entries_ * sizeof(std::uint16_t));
  }

  // After measure().
  void pack(std::uint8_t* memory, std::size_t bytes, SparseMatrix& matrix) const noexcept {
    std::memset(memory, 0, bytes);
    auto* const blocks = reinterpret_cast<SparseMatrix::Block*>(memory);
    memory += aligned(blocks_ * sizeof(SparseMatrix::Block));
    auto* const runs = reinterpret_cast<SparseRun*>(memory);
    memory += aligned(runs_ * sizeof(SparseRun));
    auto* const weights = reinterpret_cast<float*>(memory);
    auto* const columns = reinterpret_cast<std::uint16_t*>(memory + aligned(entries_ * group_rows_ * sizeof(float)));
    matrix = SparseMatrix{};
    std::size_t run = 0;
    std::size_t entry = 0;
    for (std::size_t b = 0; b < blocks_; ++b) {
      SparseMatrix::Block& block = blocks[b];
      block = {b * block_columns_, width(b), run, 0, entry};
      for (std::size_t g = 0; g < groups_; g += window_) {
        SparseRun* const listed = runs + run;
        SparseRun sorted[window];
        const std::size_t n = list(b, g, sorted);
        std::copy_n(sorted, n, listed);
        if (layout_ == SparseLayout::slices) {  // what fills up the runs of a slice changes no sum
          const std::size_t entries = entries_of(listed, n);
          std::fill_n(weights + entry, entries, -0.0F);
          std::fill_n(columns + entry, entries, static_cast<std::uint16_t>(block.columns * index_step(layout_)));
        }
        entry += fill(block.column, listed, n, weights + entry * group_rows_, columns + entry);
        run += n;
        block.runs += n;
        for (std::size_t i = 0; i < n; ++i) matrix.nonzeros_ += listed[i].count * present(listed[i].row);
      }
      // The kernels see how many runs there are; those that fill up the last slice do not count.
      if (layout_ == SparseLayout::slices) block.runs = std::min(block.runs, groups_);
    }
    matrix.layout_ = layout_;
    matrix.outputs_ = source_.outputs;
    matrix.inputs_ = source_.inputs;
    matrix.block_count_ = blocks_;
    matrix.blocks_ = blocks;
    matrix.runs_ = runs;
    matrix.weights_ = weights;
    matrix.columns_ = columns;
  }

 private:
  std::size_t width(std::size_t block) const noexcept {
    return std::min(block_columns_, source_.inputs - std::min(source_.inputs, block * block_columns_));
  }
  std::size_t present(std::size_t group) const noexcept {
    return std::min(group_rows_, source_.outputs - group * group_rows_);
  }

  // The runs of a window by falling number of entries, then rising output. Every output is in the first block, so that
  // its sum is started there; in slices in every block, so that they stay full.
  std::size_t list(std::size_t block, std::size_t first, SparseRun* runs) const noexcept {
    std::size_t n = 0;
    for (std::size_t g = first; g < std::min(groups_, first + window_); ++g) {
      const bool* const mask = source_.mask.data() + g * group_rows_ * source_.inputs + block * block_columns_;
      std::uint32_t count = 0;
      for (std::size_t k = 0; k < width(block); ++k) count += mask[k] ? 1 : 0;
      if (count == 0 && block > 0 && layout_ == SparseLayout::rows) continue;
      runs[n++] = {static_cast<std::uint32_t>(g), count};
    }
    std::sort(runs, runs + n, [](const SparseRun& a, const SparseRun& b) {
      return a.count != b.count ? a.count > b.count : a.row < b.row;
    });
    if (layout_ != SparseLayout::slices) return n;
    while (n % slice_rows != 0) runs[n++] = {0, 0};
    return n;
  }

  std::size_t entries_of(const SparseRun* runs, std::size_t n) const noexcept {
    std::size_t entries = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (layout_ != SparseLayout::slices) {
        entries += runs[i].count;
      } else if (i % slice_rows == 0) {
        entries += runs[i].count * slice_rows;
      }
    }
    return entries;
  }

  std::size_t fill(std::size_t column, const SparseRun* runs, std::size_t n, float* weights,
                   std::uint16_t* columns) const noexcept {
    std::size_t at = 0;
    for (std::size_t i = 0; i < n; ++i) {
      SparseCursor cursor = cursor_of(layout_, runs, i, at);
      const std::size_t row = runs[i].row * group_rows_;
      const float* const w = source_.weights.data() + row * source_.inputs + column;
      const bool* const mask = source_.mask.data() + row * source_.inputs + column;
      for (std::size_t k = 0, left = runs[i].count; left > 0; ++k) {
        if (!mask[k]) continue;
        columns[cursor.at] = static_cast<std::uint16_t>(k * index_step(layout_));
        for (std::size_t r = 0; r < present(runs[i].row); ++r) {
          weights[cursor.at * group_rows_ + r] = w[r * source_.inputs + k];
        }
        cursor.at += cursor.step;
        --left;
      }
    }
    return at;
  }

  MaskedWeights source_;
  SparseLayout layout_;
  std::size_t group_rows_;
  std::size_t window_;
  std::size_t groups_ = 0;
  std::size_t blocks_ = 0;
  std::size_t block_columns_ = 0;
  std::size_t runs_ = 0;
  std::size_t entries_ = 0;
};

namespace {

Status check(const MaskedWeights& source, SparseLayout layout) noexcept {
  constexpr std::size_t most = std::size_t{1} << 31;
  if (source.outputs > most || source.inputs > most) return Status::matrix_shape;
  const std::size_t size = source.outputs * source.inputs;
  if (source.weights.size() != size || source.mask.size() != size) return Status::matrix_shape;
  if (layout != SparseLayout::blocks) return Status::ok;
  for (std::size_t j = 0; j < source.outputs; ++j) {
    const bool* const mask = source.mask.data() + j * source.inputs;
    const bool* const leader = source.mask.data() + j / block_rows * block_rows * source.inputs;
    if (!std::equal(mask, mask + source.inputs, leader)) return Status::not_in_blocks;
  }
  return Status::ok;
}

}  // namespace

Status SparseMatrix::packed_bytes(const MaskedWeights& source, SparseLayout layout, std::size_t& bytes) noexcept {
  const Status status = check(source, layout);
  if (status == Status::ok) bytes = SparsePacker(source, layout).measure();
  return status;
}

Status SparseMatrix::pack(const MaskedWeights& source, SparseLayout layout, View<std::uint8_t> memory,
                          SparseMatrix& matrix) noexcept {
  const Status status = check(source, layout);
  if (status != Status::ok) return status;
  SparsePacker packer(source, layout);
  const std::size_t bytes = packer.measure();
  if (memory.size() < bytes || reinterpret_cast<std::uintptr_t>(memory.data()) % alignment != 0) {
    return Status::matrix_memory;
  }
  packer.pack(memory.data(), bytes, matrix);
  return Status::ok;
}

Status SparseMatrix::unpack(View<float> weights, View<bool> mask) const noexcept {
  const std::size_t size = outputs_ * inputs_;
  if (weights.size() != size || mask.size() != size) return Status::matrix_shape;
  std::fill(weights.begin(), weights.end(), 0.0F);
  std::fill(mask.begin(), mask.end(), false);
  const std::size_t group_rows = layout_ == SparseLayout::blocks ? block_rows : 1;
  for (const Block* block = blocks_; block < blocks_ + block_count_; ++block) {
    std::size_t at = block->entry;
    for (std::size_t i = 0; i < block->runs; ++i) {
      const SparseRun& run = runs_[block->run + i];
      SparseCursor cursor = cursor_of(layout_, runs_ + block->run, i, at);
      for (std::size_t e = 0; e < run.count; ++e, cursor.at += cursor.step) {
        const std::size_t column = block->column + columns_[cursor.at] / index_step(layout_);
        for (std::size_t r = 0; r < group_rows && run.row * group_rows + r < outputs_; ++r) {
          const std::size_t place = (run.row * group_rows + r) * inputs_ + column;
          weights[place] = weights_[cursor.at * group_rows + r];
          mask[place] = true;
        }
      }
    }
  }
  return Status::ok;
}

}  // namespace rlcompress
