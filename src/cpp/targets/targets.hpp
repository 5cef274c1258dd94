// The tables of the compiled targets, named table_<target>.
#pragma once

#include "kernels/table.hpp"

namespace rlcompress {

#define RLCOMPRESS_TARGET(name) extern const KernelTable table_##name;
#include "targets/targets.def"
#undef RLCOMPRESS_TARGET

}  // namespace rlcompress
