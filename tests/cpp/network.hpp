// Random networks for the tests: a description, its .rlc image, and its result by the letter of docs/format.md,
// written without any code of the library.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace test {

using Random = std::mt19937;
using Bytes = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

// Bits of `scales`.
enum : unsigned {
  row_none = 0,
  row_float = 1,
  row_one = 2,
  row_many = 3,
  columns = 4,
  bias_none = 0,
  bias_float = 8,
  bias_integer = 16
};

struct Layer {
  unsigned kind = 1;  // 1 dense, 2 sparse dense, 3 integer dense
  unsigned activation = 0;
  unsigned weight_type = 0;  // 0 float32, 1 int8, 2 int4
  unsigned scales = bias_float;
  std::size_t inputs = 1;
  std::size_t outputs = 1;
  float alpha = 0.0F;
  Floats weights;          // outputs x inputs; integers as floats
  std::vector<bool> kept;  // outputs x inputs, sparse only
  Floats bias;             // outputs, of either form
  Floats row_scale;        // outputs
  std::vector<int> row_exponents;
  std::vector<int> column_exponents;
  float input_scale = 1.0F;  // integer dense only, whose integers follow
  unsigned input_zero = 0;
  std::vector<std::int32_t> integer_bias;
};

struct Network {
  std::vector<Layer> layers;
  unsigned head = 0;
  bool range = false;
  bool normalise = false;
  float clip = 5.0F;
  Floats mean, scale;
  std::vector<bool> selected;  // which values of the observation the layers read; empty = all
  std::int32_t start = 0;
  Floats low, high, head_scale, head_offset;
  std::vector<Floats> golden_inputs;  // their actions come from reference_run

  std::size_t inputs() const { return selected.empty() ? layers.front().inputs : selected.size(); }
  std::size_t outputs() const { return layers.back().outputs; }
  std::size_t actions() const { return head == 1 ? 1 : outputs(); }
};

// How wild values are: everyday sizes, or all exponents with subnormals.
Floats random_floats(Random& random, std::size_t n, bool wild);
Layer random_layer(Random& random, std::size_t inputs, std::size_t outputs, bool wild);
Network random_network(Random& random, const std::vector<std::size_t>& widths, bool wild);

// The network on an observation with a few more values, which it does not read.
void widen_observation(Random& random, Network& network, bool wild);

// The form of the same content that the format asks for: no stored bias of zeros, one exponent for one output, sparse
// only where that is smaller.
void make_canonical(Layer& layer);

Bytes image_of(const Network& network);
void put_checksum(Bytes& image);  // of total_length bytes as they stand

Floats reference_run(const Network& network, const Floats& observation);
float reference_exp(float x);
float reference_sigmoid(float x);
float reference_tanh(float x);

inline std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return bits;
}

}  // namespace test
