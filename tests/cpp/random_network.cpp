#include <algorithm>
#include <cmath>

#include "network.hpp"

namespace test {
namespace {

// Own draws, one statement each, so that every compiler and C library makes the same networks.
int uniform(Random& random, int low, int high) {
  return low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1));
}

std::vector<int> exponents(Random& random, std::size_t n) {
  std::vector<int> values(n);
  for (int& value : values) value = uniform(random, -6, 6);
  values[0] = uniform(random, 0, 1) == 0 ? -120 : 3;
  return values;
}

void make_integer(Random& random, Layer& layer) {
  layer.kind = 3;
  layer.weight_type = 1;
  layer.scales = row_float | (uniform(random, 0, 3) == 0 ? columns : 0U);
  layer.input_scale = 1.0F + static_cast<float>(uniform(random, 0, 1 << 20)) * 0x1p-20F;
  layer.input_scale = std::ldexp(layer.input_scale, uniform(random, -3, 8));
  const int zero = uniform(random, -100, 355);
  layer.input_zero = static_cast<unsigned>(std::clamp(zero, 0, 255));
  for (float& w : layer.weights) w = static_cast<float>(uniform(random, -127, 127));
  const int reach = uniform(random, 0, 2) == 0 ? 0x7FFFFFFF - 32385 * static_cast<int>(layer.inputs) : 1 << 20;
  layer.row_scale.clear();
  layer.column_exponents.clear();
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    layer.integer_bias.push_back(uniform(random, -(reach / 2), reach / 2) * (reach > 1 << 20 ? 2 : 1));
    layer.row_scale.push_back(std::ldexp(1.0F, uniform(random, -18, -6)) * 1.1F);
  }
  for (std::size_t k = 0; k < layer.inputs; ++k) layer.column_exponents.push_back(uniform(random, -6, 6));
}

}  // namespace

Floats random_floats(Random& random, std::size_t n, bool wild) {
  Floats values(n);
  for (float& value : values) {
    for (int i = 0; i < 4; ++i) value += static_cast<float>(uniform(random, -(1 << 23), 1 << 23)) * 0x1p-23F;
    if (!wild) continue;
    if (uniform(random, 0, 2) == 0) value = std::ldexp(value, uniform(random, -150, 30));
    const int zero = uniform(random, 0, 30);
    if (zero < 2) value = zero == 0 ? 0.0F : -0.0F;
  }
  return values;
}

Layer random_layer(Random& random, std::size_t inputs, std::size_t outputs, bool wild) {
  Layer layer;
  layer.inputs = inputs;
  layer.outputs = outputs;
  layer.kind = static_cast<unsigned>(uniform(random, 1, 2));
  layer.activation = static_cast<unsigned>(uniform(random, 0, 7));
  layer.weight_type = static_cast<unsigned>(uniform(random, 0, 2));
  layer.scales = uniform(random, 0, 3) == 0 ? bias_none : bias_float;
  if (layer.activation == 4) layer.alpha = 1.25F;
  if (layer.activation == 7) layer.alpha = 0.01F;
  layer.weights = random_floats(random, inputs * outputs, wild);
  layer.bias = random_floats(random, outputs, wild);
  for (float& b : layer.bias) b += 0.0F;  // no -0
  if (layer.weight_type != 0) {
    const int limit = layer.weight_type == 1 ? 127 : 7;
    for (float& w : layer.weights) w = static_cast<float>(uniform(random, -limit, limit));
    layer.scales = static_cast<unsigned>(uniform(random, 0, 3));
    layer.scales |= static_cast<unsigned>(uniform(random, 0, 1)) << 2U;
    layer.scales |= static_cast<unsigned>(uniform(random, 0, 2)) << 3U;
    if ((layer.scales & 24U) == bias_integer) {
      for (float& b : layer.bias) b = static_cast<float>(uniform(random, -limit, limit));
    }
    for (float s : random_floats(random, outputs, false)) layer.row_scale.push_back(std::fabs(s) * 0.01F + 1e-6F);
    layer.row_exponents = exponents(random, (layer.scales & 3U) == row_one ? 1 : outputs);
    layer.column_exponents = exponents(random, inputs);
  }
  if (layer.kind == 2) {
    const int density = uniform(random, 0, 100);
    for (std::size_t i = 0; i < inputs * outputs; ++i) layer.kept.push_back(uniform(random, 0, 99) < density);
  }
  make_canonical(layer);
  if (layer.inputs <= 65536 && uniform(random, 0, 3) == 0) make_integer(random, layer);
  return layer;
}

Network random_network(Random& random, const std::vector<std::size_t>& widths, bool wild) {
  Network network;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    network.layers.push_back(random_layer(random, widths[i], widths[i + 1], wild));
  }
  network.head = static_cast<unsigned>(uniform(random, 0, 3));
  network.range = uniform(random, 0, 1) == 1;
  network.normalise = uniform(random, 0, 1) == 1;
  network.clip = uniform(random, 0, 1) == 1 ? INFINITY : 2.5F;
  network.mean = random_floats(random, widths.front(), false);
  for (float s : random_floats(random, widths.front(), false)) network.scale.push_back(std::fabs(s) + 0.01F);
  network.start = uniform(random, -3, 3);
  const std::size_t outputs = widths.back();
  network.low.assign(outputs, -1.5F);
  network.high.assign(outputs, uniform(random, 0, 1) == 1 ? INFINITY : 2.0F);
  network.head_scale = random_floats(random, outputs, false);
  network.head_offset = random_floats(random, outputs, false);
  for (int i = 0; i < 3; ++i) network.golden_inputs.push_back(random_floats(random, widths.front(), wild));
  return network;
}

void widen_observation(Random& random, Network& network, bool wild) {
  network.selected.assign(network.inputs(), true);
  network.selected.resize(network.inputs() + static_cast<std::size_t>(uniform(random, 1, 20)), false);
  std::shuffle(network.selected.begin(), network.selected.end(), random);
  network.mean = random_floats(random, network.inputs(), false);
  network.scale.clear();
  for (float s : random_floats(random, network.inputs(), false)) network.scale.push_back(std::fabs(s) + 0.01F);
  for (Floats& input : network.golden_inputs) input = random_floats(random, network.inputs(), wild);
}

}  // namespace test
