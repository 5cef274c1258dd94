// The tables of the compiled targets, named table_<target> and compression_<file>.
#pragma once

#include "kernels/compression_table.hpp"

namespace rlcompress {

#define RLCOMPRESS_TARGET(name, compression) \
  extern const KernelTable table_##name;     \
  extern const CompressionTable compression_##compression;
#include "targets/targets.def"
#undef RLCOMPRESS_TARGET

}  // namespace rlcompress
