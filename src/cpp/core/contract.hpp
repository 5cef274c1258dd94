// The two ends of a run: from the observation to what the first layer reads, from the last sums to the action.
#pragma once

#include <rlcompress/model.hpp>

#include "kernels/table.hpp"

namespace rlcompress {

// Index of the first largest value; NaN never wins.
inline std::size_t argmax(const float* y, std::size_t n) noexcept {
  std::size_t best = 0;
  for (std::size_t i = 1; i < n; ++i) {
    if (y[i] > y[best] || (y[best] != y[best] && y[i] == y[i])) best = i;
  }
  return best;
}

// The values whose bit is set, in order; y may be x.
inline void select(const float* x, const std::uint8_t* selection, std::size_t n, float* y) noexcept {
  for (std::size_t first = 0; first < n; first += 8) {
    for (unsigned bits = selection[first / 8]; bits != 0; bits &= bits - 1) {
      *y++ = x[first + static_cast<unsigned>(__builtin_ctz(bits))];
    }
  }
}

inline void run_head(const detail::Contract& contract, const KernelTable& kernels, const float* y, std::size_t n,
                     float* action) noexcept {
  if (contract.head == 1) {
    *action = static_cast<float>(static_cast<std::int64_t>(contract.start) + static_cast<std::int64_t>(argmax(y, n)));
    return;
  }
  const HeadCall call{
      y, action, contract.head_arrays[0], contract.head_arrays[1], contract.head_arrays[2], contract.head_arrays[3], n};
  if (contract.head == 0) return n <= few_outputs ? run_few_raw(y, n, action) : kernels.head_raw(call);
  if (contract.head == 2) return kernels.head_clip(call);
  kernels.head_squash(call);
}

// Normalises and selects into `buffer`; returns where the values are, x itself when there is nothing to do.
inline const float* run_input(const detail::Contract& contract, const KernelTable& kernels, const float* x,
                              std::size_t n, float* buffer) noexcept {
  if (contract.mean != nullptr) {
    kernels.normalise({x, buffer, contract.mean, contract.scale, contract.clip, n});
    x = buffer;
  }
  if (contract.selection != nullptr) {
    select(x, contract.selection, n, buffer);
    x = buffer;
  }
  return x;
}

}  // namespace rlcompress
