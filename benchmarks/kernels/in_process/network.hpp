// Plain weights of a dense relu network, its exact answer, and what every contender gets to hold.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace bench {

using Floats = std::vector<float>;
using Bytes = std::vector<std::uint8_t>;

struct DenseLayer {
  std::size_t inputs, outputs;
  Floats weights;  // outputs x inputs, row-major
  Floats bias;
  bool relu;
};
using Network = std::vector<DenseLayer>;

// An .rlc image where vector loads of its wide weights stay within cache lines.
class Image {
 public:
  explicit Image(const Bytes& bytes) : storage_(bytes.size() + 64), size_(bytes.size()) {
    const auto past = reinterpret_cast<std::uintptr_t>(storage_.data()) % 64;
    data_ = storage_.data() + (past == 0 ? 0 : 64 - past);
    std::memcpy(data_, bytes.data(), size_);
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  Bytes storage_;
  std::size_t size_;
  std::uint8_t* data_;
};

inline Bytes read_file(const char* path) {
  Bytes bytes;
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) std::exit((std::fprintf(stderr, "no such file: %s\n", path), 2));
  for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file)) {
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  std::fclose(file);
  return bytes;
}

// File: u32 layers, then for each u32 inputs, u32 outputs, weights, bias; relu behind all but the last.
inline Network read_network(const char* path) {
  const Bytes bytes = read_file(path);
  const std::uint8_t* at = bytes.data();
  const auto take = [&at](void* to, std::size_t size) { std::memcpy(to, at, size), at += size; };
  std::uint32_t count, shape[2];
  take(&count, 4);
  Network network;
  for (std::uint32_t i = 0; i < count; ++i) {
    take(shape, 8);
    DenseLayer layer{shape[0], shape[1], Floats(std::size_t{shape[0]} * shape[1]), Floats(shape[1]), i + 1 < count};
    take(layer.weights.data(), 4 * layer.weights.size());
    take(layer.bias.data(), 4 * layer.bias.size());
    network.push_back(layer);
  }
  return network;
}

inline Floats random_floats(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Floats values(count);
  for (float& value : values) value = normal(random);
  return values;
}

inline std::vector<double> exact(const Network& network, const float* x) {
  std::vector<double> values(x, x + network.front().inputs);
  for (const DenseLayer& layer : network) {
    std::vector<double> next(layer.bias.begin(), layer.bias.end());
    for (std::size_t j = 0; j < layer.outputs; ++j) {
      for (std::size_t k = 0; k < layer.inputs; ++k) next[j] += double{layer.weights[j * layer.inputs + k]} * values[k];
      if (layer.relu) next[j] = std::max(next[j], 0.0);
    }
    values = next;
  }
  return values;
}

// Largest error of the rows of y as a share of the largest answer.
inline double error_of(const Network& network, const Floats& x, const Floats& y) {
  double error = 0, largest = 0;
  const std::size_t inputs = network.front().inputs, outputs = network.back().outputs;
  for (std::size_t row = 0; row < y.size() / outputs; ++row) {
    const std::vector<double> answer = exact(network, x.data() + row * inputs);
    for (std::size_t j = 0; j < outputs; ++j) {
      error = std::max(error, std::fabs(answer[j] - double{y[row * outputs + j]}));
      largest = std::max(largest, std::fabs(answer[j]));
    }
  }
  return error / largest;
}

}  // namespace bench
