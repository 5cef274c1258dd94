// Networks of a file with observations and the actions that must come out: for each network four u32 (bytes of the
// image, rows, inputs, action values), the image, rows, actions.
#pragma once

#include <rlcompress/rlcompress.hpp>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace test {

template <class T>
bool fill(std::vector<T>& values, std::size_t count, std::FILE* file) {
  values.resize(count);
  return std::fread(values.data(), sizeof(T), count, file) == count;
}

struct Case {
  std::vector<std::uint64_t> image;  // aligned
  std::size_t bytes = 0;
  std::size_t inputs = 0, outputs = 0;
  std::vector<float> rows, actions;

  auto model() const {
    return rlcompress::Model::from_bytes({reinterpret_cast<const std::uint8_t*>(image.data()), bytes});
  }
};

inline bool read_case(Case& c, std::FILE* file) {
  std::uint32_t sizes[4];
  if (std::fread(sizes, sizeof(sizes), 1, file) != 1) return false;
  c.bytes = sizes[0];
  c.inputs = sizes[2];
  c.outputs = sizes[3];
  c.image.resize((c.bytes + 7) / 8 + 8);
  if (std::fread(c.image.data(), 1, c.bytes, file) != c.bytes) return false;
  return fill(c.rows, sizes[1] * c.inputs, file) && fill(c.actions, sizes[1] * c.outputs, file);
}

}  // namespace test
