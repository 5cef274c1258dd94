#include <rlcompress/target.hpp>

#include <atomic>
#include <cstdlib>

#include "core/dispatch.hpp"
#include "targets/targets.hpp"

namespace rlcompress {
namespace {

constexpr const KernelTable* tables[] = {
#define RLCOMPRESS_TARGET(name, compression) &table_##name,
#include "targets/targets.def"
#undef RLCOMPRESS_TARGET
};
constexpr std::size_t count = sizeof(tables) / sizeof(tables[0]);

// Two, so that loads and stores are enough: a Cortex-M0 has no compare-and-exchange.
std::atomic<const KernelTable*> forced{nullptr}, chosen{nullptr};

// Not strcmp: the part that runs models asks of the C library what every freestanding compiler has, and getenv.
bool same(const char* a, const char* b) noexcept {
  for (; *a == *b; ++a, ++b) {
    if (*a == '\0') return true;
  }
  return false;
}

Status find(const char* wanted, const KernelTable*& table) noexcept {
  for (const KernelTable* candidate : tables) {
    if (!same(candidate->name, wanted)) continue;
    if (!candidate->available()) return Status::unavailable_target;
    table = candidate;
    return Status::ok;
  }
  return Status::unknown_target;
}

Status choose(const KernelTable*& table) noexcept {
#if __STDC_HOSTED__
  const char* wanted = std::getenv("RLCOMPRESS_TARGET");
  if (wanted != nullptr && wanted[0] != '\0') return find(wanted, table);
#endif
  for (const KernelTable* candidate : tables) {
    if (!candidate->available()) continue;
    table = candidate;
    return Status::ok;
  }
  return Status::unavailable_target;
}

}  // namespace

const KernelTable* active_table(Status& status) noexcept {
  if (const KernelTable* table = forced.load(std::memory_order_acquire)) return table;
  if (const KernelTable* table = chosen.load(std::memory_order_acquire)) return table;
  const KernelTable* table = nullptr;
  status = choose(table);  // the same for every thread that gets here
  if (status != Status::ok) return nullptr;
  chosen.store(table, std::memory_order_release);
  return table;
}

std::size_t target_count() noexcept { return count; }

const char* target_name(std::size_t index) noexcept { return tables[index]->name; }

bool target_available(std::size_t index) noexcept { return tables[index]->available(); }

const char* active_target(Status* status) noexcept {
  Status own = Status::ok;
  const KernelTable* table = active_table(own);
  if (status != nullptr) *status = own;
  return table != nullptr ? table->name : nullptr;
}

Status force_target(const char* name) noexcept {
  const KernelTable* table = nullptr;
  const Status status = find(name, table);
  if (status == Status::ok) forced.store(table, std::memory_order_release);
  return status;
}

}  // namespace rlcompress
