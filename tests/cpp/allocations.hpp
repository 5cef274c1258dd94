// Counts the whole program's calls to the heap, by replacing malloc and its family (or operator new where a sanitizer
// owns malloc).
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RLCOMPRESS_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RLCOMPRESS_SANITIZED
#endif

namespace test {

std::size_t allocations();

}  // namespace test
