// Borrowed memory for one call: the stack when it fits, else a block that the thread keeps.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rlcompress::bindings {

constexpr std::size_t alignment = 64;
constexpr std::size_t stack_workspace = 16384;
constexpr std::size_t chunk_rows = 64;  // of a batch that go through a layer together

template <class Body>
Status with_workspace(std::size_t bytes, const Body& body) {
  if (bytes <= stack_workspace) {
    alignas(alignment) std::uint8_t block[stack_workspace];
    return body(View<std::uint8_t>(block, bytes));
  }
  thread_local std::vector<std::uint8_t> kept;
  if (kept.size() < bytes + alignment) kept.resize(bytes + alignment);
  void* start = kept.data();
  std::size_t space = kept.size();
  start = std::align(alignment, bytes, start, space);
  return body(View<std::uint8_t>(static_cast<std::uint8_t*>(start), bytes));
}

}  // namespace rlcompress::bindings
