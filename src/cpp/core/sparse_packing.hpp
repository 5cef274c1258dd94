// How a packed sparse matrix lies in memory: blocks of inputs, each with runs (an output and its number of entries, by
// falling number) and their entries. Weights and column indices are arrays of their own.
#pragma once

#include <rlcompress/matmul.hpp>

#include "kernels/compression_table.hpp"

namespace rlcompress {

struct SparseMatrix::Block {
  std::size_t column;  // first input
  std::size_t columns;
  std::size_t run;  // index of the first run
  std::size_t runs;
  std::size_t entry;  // index of the first column index; its weights lie at the same index (blocks: 16 times that)
};

// What stands for one input in a column index.
constexpr std::size_t index_step(SparseLayout layout) noexcept { return layout == SparseLayout::slices ? 4 : 1; }

// The entries of one run: columns[at], columns[at + step], ..
struct SparseCursor {
  std::size_t at;
  std::size_t step;
};

// That of run number i; `at` is where the entries not yet visited start, and moves on. To call for i = 0, 1, ..
inline SparseCursor cursor_of(SparseLayout layout, const SparseRun* runs, std::size_t i, std::size_t& at) noexcept {
  SparseCursor cursor{at, 1};
  if (layout == SparseLayout::slices) {
    const std::size_t lane = i % slice_rows;
    cursor = {at + lane, slice_rows};
    if (lane + 1 == slice_rows) at += runs[i - lane].count * slice_rows;
  } else {
    at += runs[i].count;
  }
  return cursor;
}

}  // namespace rlcompress
