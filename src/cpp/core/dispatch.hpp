// The tables in use.
#pragma once

#include <rlcompress/status.hpp>

#include "kernels/compression_table.hpp"

namespace rlcompress {

// Null, with `status` set, when the environment names a target that cannot run.
const KernelTable* active_table(Status& status) noexcept;
const CompressionTable* active_compression_table(Status& status) noexcept;

}  // namespace rlcompress
