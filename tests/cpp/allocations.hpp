// Counts heap allocations of the whole program, by replacing malloc (or operator new where a sanitizer owns malloc).
#pragma once

#include <cstddef>

namespace test {

std::size_t allocations();

}  // namespace test
