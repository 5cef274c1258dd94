// The caller's memory for one call. In the workspace: values at even and odd positions of the chain, row after row,
// then scratch.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

namespace rlcompress {

inline Status check_arrays(View<const float> observations, View<float> actions) noexcept {
  if (observations.data() == nullptr || actions.data() == nullptr) return Status::null_pointer;
  const auto places =
      reinterpret_cast<std::uintptr_t>(observations.data()) | reinterpret_cast<std::uintptr_t>(actions.data());
  return places % alignof(float) != 0 ? Status::misaligned_array : Status::ok;
}

inline Status check_workspace(View<std::uint8_t> workspace, std::size_t needed) noexcept {
  if (workspace.size() < needed) return Status::workspace_size;
  if (workspace.data() == nullptr) return Status::null_pointer;
  if (reinterpret_cast<std::uintptr_t>(workspace.data()) % alignof(float) != 0) return Status::misaligned_workspace;
  return Status::ok;
}

// Floats kept for n values: whole vectors for every target, and an odd number of 64-byte lines, so that rows of a batch
// do not compete for the same cache sets.
inline std::size_t row_floats(std::size_t n) noexcept { return n == 0 ? 0 : (((n + 15) / 16) | 1U) * 16; }

}  // namespace rlcompress
