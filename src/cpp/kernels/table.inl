// The tables of the target that includes this; the order is that of their structs.
constexpr KernelTable make_table(const char* name, bool (*available)() noexcept,
                                 void (*integer_dense)(const IntegerDenseCall&) noexcept = integer_dense_u8,
                                 void (*quantise)(const float*, const InputSteps&, std::uint8_t*,
                                                  std::size_t) noexcept = quantise_f32) noexcept {
  return KernelTable{
      name,
      available,
      {dense_f32, dense_i8, dense_i4},
      dense_chain_f32,
      {dense_batch_f32, dense_batch_i8, dense_batch_i4},
      {sparse_f32, sparse_i8, sparse_i4},
      integer_dense,
      quantise,
      activate_f32,
      exp_f32,
      scale_columns_f32,
      scale_rows_f32,
      normalise_f32,
      head_raw_f32,
      head_clip_f32,
      head_squash_f32,
  };
}

constexpr CompressionTable make_compression_table() noexcept {
  return CompressionTable{
      count_magnitudes_f32,
      sift_magnitudes_f32,
      magnitudes_f32,
      count_above_i32,
      block_moments_f32,
      spmm_vectors * width,
      spmm_rows_f32,
      spmm_slices_f32,
      spmm_blocks_f32,
      sddmm_rows_f32,
      sgd_f32,
      adam_f32,
      slope_f32,
  };
}
