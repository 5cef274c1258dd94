// CHECK(condition) and CHECK_THAT(condition, format, ...): print where it failed, and count; main returns report().
#pragma once

#include <cstdio>

namespace test {

inline int failures = 0;

inline int report() {
  if (failures == 0) std::puts("ok");
  return failures == 0 ? 0 : 1;
}

}  // namespace test

#define CHECK_THAT(condition, ...)                                       \
  do {                                                                   \
    if (!(condition) && ++test::failures <= 20) {                        \
      std::printf("%s:%d: %s failed: ", __FILE__, __LINE__, #condition); \
      std::printf(__VA_ARGS__);                                          \
      std::puts("");                                                     \
    }                                                                    \
  } while (false)

#define CHECK(condition) CHECK_THAT(condition, "%s", "")
