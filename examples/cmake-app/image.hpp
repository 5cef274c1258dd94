// What the C++ examples share: the bytes of a file, and errors in words.
#pragma once

#include <rlcompress/status.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

// A microcontroller has these bytes in flash, at an address that is a multiple of 4. False: errno says why.
inline bool read(const char* path, std::vector<std::uint8_t>& bytes) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file)) {
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  const bool whole = std::ferror(file) == 0;
  const int reason = errno;
  std::fclose(file);
  errno = reason;
  return whole;
}

inline int unreadable(const char* path) {
  std::fprintf(stderr, "error: cannot read %s: %s\n", path, std::strerror(errno));
  return 1;
}

inline int report(rlcompress::Status status) {
  std::fprintf(stderr, "error: %s\n", rlcompress::message(status));
  return 1;
}

inline int usage(const char* line) {
  std::fprintf(stderr, "usage: %s\n", line);
  return 2;
}
