#pragma once

#include <rlcompress/view.hpp>

#include <cstdint>

namespace rlcompress {

// Whether two arrays share memory; empty ones never do. As numbers: pointers into different arrays have no order.
inline bool overlap(View<const float> a, View<const float> b) noexcept {
  const auto place = [](const float* p) { return reinterpret_cast<std::uintptr_t>(p); };
  return a.size() > 0 && b.size() > 0 && place(a.data()) < place(b.end()) && place(b.data()) < place(a.end());
}

}  // namespace rlcompress
