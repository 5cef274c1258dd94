// The instruction sets that the kernels are compiled for, and which of them runs.
// The best available one is taken at the first use; the environment variable RLCOMPRESS_TARGET names another.
#pragma once

#include <rlcompress/status.hpp>

#include <cstddef>

namespace rlcompress {

// The compiled targets, best first; the last is "scalar".
std::size_t target_count() noexcept;
const char* target_name(std::size_t index) noexcept;  // index < target_count()
bool target_available(std::size_t index) noexcept;    // whether this processor can run it

// The one in use; null when RLCOMPRESS_TARGET names none that can run (the status says why).
const char* active_target(Status* status = nullptr) noexcept;

// Use this one from now on, in every thread. Refused names change nothing.
Status force_target(const char* name) noexcept;

}  // namespace rlcompress
