// What a target offers for making models small: ranking, statistics, sparse products and training. Apart from what runs
// models, so that a linker that drops unused sections drops it. A new kernel: as in kernels/table.hpp.
#pragma once

#include "kernels/table.hpp"

namespace rlcompress {

// Magnitudes as integers (bits of |w|). Those strictly between low and high are binned: (m - low - 1) >> shift.
struct MagnitudeRange {
  std::uint32_t low;
  std::uint32_t high;  // >= low
  std::uint32_t shift;
};

// Added to by each call.
struct MagnitudeCount {
  std::uint64_t above;      // m > high
  std::uint64_t from_high;  // m >= high
  std::uint64_t from_low;   // m >= low
  std::uint32_t largest;    // NaN among the weights if above the bits of infinity
};

// A mask of magnitudes (as int32: the bits of |w|) in one pass: above `high` kept, up to `low` dropped. Those between,
// low < m <= high, are kept or dropped as `keep_between` says; with `found` they are dropped, and noted there to be
// decided later.
struct SiftCall {
  const float* w;
  std::size_t n;
  std::int32_t low;
  std::int32_t high;  // >= low
  bool keep_between;
  bool bits;  // mask: one bit per element, bit i % 8 of byte i / 8, the last byte's unused bits 0; else one byte of 0
              // or 1
  std::uint8_t* mask;    // n bytes, or ceil(n / 8)
  std::uint64_t* found;  // bits of |w| << 32 | index (from `first`); null: between is only counted
  std::uint32_t first;
  std::size_t capacity;  // of `found`; a pass that would exceed it stops with count.taken > capacity
};

// Added to by each call.
struct SiftCount {
  std::uint64_t above;    // m > high
  std::uint64_t between;  // low < m <= high
  std::size_t taken;      // entries of `found`
  std::int32_t largest;   // NaN among the weights if above the bits of infinity
};

struct BlockMoments {
  double sum;
  double squares;        // of the deviations from the block's mean
  std::int32_t largest;  // magnitude
};

// A packed sparse matrix (rlcompress/matmul.hpp): an output and how many entries it has in a block of inputs.
struct SparseRun {
  std::uint32_t row;
  std::uint32_t count;
};

// One block of inputs times x, in any of the layouts. Runs are sorted by falling count.
struct SpmmCall {
  const float* weights;
  const std::uint16_t* columns;  // within the block; in slices four times that
  const SparseRun* runs;
  std::size_t run_count;
  const float* x;  // first input of the block
  std::size_t x_stride;
  float* y;  // output 0
  std::size_t y_stride;
  const float* start;   // outputs: what the sums start from in the first block; null for +0
  bool first;           // else they go on from y
  std::size_t n;        // columns of x and y
  std::size_t outputs;  // of the matrix
  bool narrow;          // slices: x is a panel of narrow_panel columns, or of the only one, and a row of +0 follows
                        // the block's inputs; always set where n = 1
};

// The gradient of the weights of one block: dy x^T where entries are. columns is a multiple of 16, at most sddmm_tile.
struct SddmmCall {
  const std::uint16_t* columns;
  const SparseRun* runs;
  std::size_t run_count;
  const float* x;  // first input of the block
  const float* dy;
  std::size_t stride;  // of x and dy
  std::size_t n;
  float* gradient;
  bool add;            // to what is there
  const float* ahead;  // what the next block reads of x, to be fetched meanwhile; may be null
  std::size_t ahead_floats;
};

inline constexpr std::size_t sddmm_tile = 128;

struct AdamCall {
  float* w;
  const float* gradient;
  float* mean;
  float* square;
  std::size_t n;
  float beta1;
  float beta2;
  float rate;        // learning rate / (1 - beta1^t)
  float correction;  // 1 / sqrt(1 - beta2^t)
  float epsilon;
};

// rows x columns, the columns a multiple of 16.
struct SlopeCall {
  const float* y;  // what the activation gave
  float* dy;       // gradient of y, changed to that of the sums before the activation
  float* sums;     // rows: of dy after that, over the columns
  std::size_t rows;
  std::size_t columns;
};

inline constexpr unsigned slice_rows = 8;    // rows side by side in slices
inline constexpr unsigned narrow_panel = 8;  // columns
inline constexpr unsigned block_rows = 16;   // outputs of a block

struct CompressionTable {
  void (*count_magnitudes)(const MagnitudeRange&, const float* w, std::size_t n, std::uint32_t* bins,
                           MagnitudeCount&) noexcept;
  void (*sift_magnitudes)(const SiftCall&, SiftCount&) noexcept;
  // The bits of |w|; returns the largest.
  std::int32_t (*magnitudes)(const float* w, std::size_t n, std::int32_t* bits) noexcept;
  std::uint32_t (*count_above)(const std::int32_t* bits, std::size_t n, std::int32_t bound) noexcept;
  void (*block_moments)(const float* w, std::size_t n, BlockMoments&) noexcept;
  std::size_t panel;  // columns of x that the row kernel takes at once
  void (*spmm_rows)(const SpmmCall&) noexcept;
  void (*spmm_slices)(const SpmmCall&) noexcept;
  void (*spmm_blocks)(const SpmmCall&) noexcept;
  void (*sddmm_rows)(const SddmmCall&) noexcept;
  void (*sgd)(float* w, const float* gradient, float* velocity, std::size_t n, float rate, float momentum) noexcept;
  void (*adam)(const AdamCall&) noexcept;
  void (*slope)(Activation, const SlopeCall&) noexcept;
};

}  // namespace rlcompress
