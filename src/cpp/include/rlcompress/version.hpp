// The version of the library; the build reads it from here.
#pragma once

#define RLCOMPRESS_VERSION "0.1.0"

namespace rlcompress {

inline constexpr const char* version = RLCOMPRESS_VERSION;

}  // namespace rlcompress
