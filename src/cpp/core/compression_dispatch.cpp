#include "core/dispatch.hpp"
#include "targets/targets.hpp"

namespace rlcompress {
namespace {

struct Target {
  const KernelTable* table;
  const CompressionTable* compression;
};

constexpr Target targets[] = {
#define RLCOMPRESS_TARGET(name, compression) {&table_##name, &compression_##compression},
#include "targets/targets.def"
#undef RLCOMPRESS_TARGET
};

}  // namespace

const CompressionTable* active_compression_table(Status& status) noexcept {
  const KernelTable* const table = active_table(status);
  for (const Target& target : targets) {
    if (target.table == table) return target.compression;
  }
  return nullptr;
}

}  // namespace rlcompress
