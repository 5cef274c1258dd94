// The tables of the compiled targets, named table_<target> and compression_<target>.
#pragma once

#include "kernels/compression_table.hpp"

namespace rlcompress {

#define RLCOMPRESS_TARGET(name)          \
  extern const KernelTable table_##name; \
  extern const CompressionTable compression_##name;
#include "targets/targets.def"
#undef RLCOMPRESS_TARGET

}  // namespace rlcompress
