// docs/format.md, "Arithmetic 1", word by word with the C library's fma.
#include <cmath>

#include "network.hpp"

namespace test {
namespace {

float activate(unsigned activation, float alpha, float y) {
  switch (activation) {
    case 1: return y > 0.0F ? y : 0.0F;
    case 2: return reference_tanh(y);
    case 3: return reference_sigmoid(y);
    case 4: return y > 0.0F ? y : alpha * (reference_exp(y) - 1.0F);
    case 5: return y * reference_sigmoid(y);
    case 6: {
      const float inner = std::fma(0.044715F * (y * y), y, y);
      return (0.5F * y) * (1.0F + reference_tanh(0.7978846F * inner));
    }
    case 7: return y > 0.0F ? y : alpha * y;
    default: return y;
  }
}

float row_sum(const Layer& layer, const Floats& x, std::size_t j, float start) {
  const float* w = layer.weights.data() + j * layer.inputs;
  if (layer.kind == 2) {
    for (std::size_t k = 0; k < layer.inputs; ++k) {
      if (layer.kept[j * layer.inputs + k]) start = std::fma(w[k], x[k], start);
    }
    return start;
  }
  const std::size_t m = layer.outputs;
  const std::size_t p = m <= 32 && layer.inputs >= 64 ? 16 : m <= 16 ? 4 : m < 128 ? 2 : 1;
  float s[16] = {start};
  for (std::size_t k = 0; k < layer.inputs; ++k) s[k % p] = std::fma(w[k], x[k], s[k % p]);
  for (std::size_t h = p / 2; h >= 1; h /= 2) {
    for (std::size_t i = 0; i < h; ++i) s[i] = s[i] + s[i + h];
  }
  return s[0];
}

float integer_row(const Layer& layer, const Floats& x, std::size_t j) {
  const auto zero = static_cast<float>(layer.input_zero);
  std::int64_t sum = layer.integer_bias[j];
  for (std::size_t k = 0; k < layer.inputs; ++k) {
    float v = x[k] * layer.input_scale;
    v = v > -zero ? v : -zero;
    v = v < 255.0F - zero ? v : 255.0F - zero;
    const auto q = static_cast<std::int64_t>(std::nearbyint(v)) + layer.input_zero;
    sum += static_cast<std::int64_t>(layer.weights[j * layer.inputs + k]) * q;
  }
  return static_cast<float>(sum) * layer.row_scale[j];
}

Floats run_layer(const Layer& layer, Floats x) {
  const unsigned row = layer.scales & 3U;
  const unsigned bias = layer.scales & 24U;
  if ((layer.scales & columns) != 0) {
    for (std::size_t k = 0; k < layer.inputs; ++k) x[k] = x[k] * std::ldexp(1.0F, layer.column_exponents[k]);
  }
  Floats result(layer.outputs);
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    if (layer.kind == 3) {
      result[j] = activate(layer.activation, layer.alpha, integer_row(layer, x, j));
      continue;
    }
    const bool inside = bias == bias_integer || (bias == bias_float && row == row_none);
    float y = row_sum(layer, x, j, inside ? layer.bias[j] : 0.0F);
    if (row != row_none) {
      const float r =
          row == row_float ? layer.row_scale[j] : std::ldexp(1.0F, layer.row_exponents[row == row_one ? 0 : j]);
      y = bias == bias_float ? std::fma(y, r, layer.bias[j]) : y * r;
    }
    result[j] = activate(layer.activation, layer.alpha, y);
  }
  return result;
}

float bounded(float y, float low, float high) { return y < low ? low : y > high ? high : y; }

}  // namespace

float reference_exp(float x) {
  if (std::isnan(x)) return x;
  x = bounded(x, -104.5F, 89.5F);
  float t = std::fma(x, 0x1.715476p0F, 12582912.0F);
  const auto n = static_cast<int>(static_cast<std::int64_t>(bits_of(t)) - 0x4B400000);
  t -= 12582912.0F;
  float r = std::fma(t, -0.693359375F, x);
  r = std::fma(t, 2.12194440e-4F, r);
  float q = 0x1.6a2352p-10F;
  for (float c : {0x1.123a6cp-7F, 0x1.5558f4p-5F, 0x1.55549p-3F, 0x1.fffffcp-2F}) q = std::fma(q, r, c);
  const float y = std::fma(q, r * r, r) + 1.0F;
  const int half = (n - (n & 1)) / 2;
  return y * std::ldexp(1.0F, half) * std::ldexp(1.0F, n - half);
}

float reference_sigmoid(float x) {
  const float e = reference_exp(-std::fabs(x));
  return (x < 0.0F ? e : 1.0F) / (1.0F + e);
}

float reference_tanh(float x) {
  const float a = std::fabs(x);
  if (a < 0.625F) {
    const float t = a * a;
    float q = -0x1.75ddcep-8F;
    for (float c : {0x1.5225cp-6F, -0x1.b83c3ap-5F, 0x1.110726p-3F, -0x1.555532p-2F}) q = std::fma(q, t, c);
    return std::copysign(std::fma(q, t * a, a), x);
  }
  return std::copysign(1.0F - 2.0F / (reference_exp(a + a) + 1.0F), x);
}

Floats reference_run(const Network& network, const Floats& observation) {
  Floats x = observation;
  if (network.normalise) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = bounded((x[k] - network.mean[k]) / network.scale[k], -network.clip, network.clip);
    }
  }
  if (!network.selected.empty()) {
    Floats read;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (network.selected[k]) read.push_back(x[k]);
    }
    x = read;
  }
  for (const Layer& layer : network.layers) x = run_layer(layer, x);
  if (network.head == 1) {
    std::size_t best = x.size();
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!std::isnan(x[i]) && (best == x.size() || x[i] > x[best])) best = i;
    }
    if (best == x.size()) best = 0;
    return {static_cast<float>(network.start + static_cast<int>(best))};
  }
  for (std::size_t j = 0; j < x.size(); ++j) {
    if (network.head >= 2) {
      x[j] = bounded(x[j], network.low[j], network.high[j]);
      if (network.head == 3) x[j] = reference_tanh(x[j]);
      x[j] = std::fma(x[j], network.head_scale[j], network.head_offset[j]);
    }
    const std::uint32_t nan = 0x7FC00000U;
    if (std::isnan(x[j])) std::memcpy(&x[j], &nan, sizeof(nan));
  }
  return x;
}

}  // namespace test
