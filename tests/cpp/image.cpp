// The .rlc image of a test network.
#include "network.hpp"

namespace test {
namespace {

class Writer {
 public:
  void u8(unsigned value) { bytes.push_back(static_cast<std::uint8_t>(value)); }
  void u16(std::size_t value) { little(value, 2); }
  void u32(std::size_t value) { little(value, 4); }
  void f32(float value) { u32(bits_of(value)); }
  void f32s(const Floats& values) {
    for (float value : values) f32(value);
  }
  void i8s(const std::vector<int>& values) {
    for (int value : values) u8(static_cast<unsigned>(value) & 255U);
  }
  void align(std::size_t size) {
    while (bytes.size() % size != 0) u8(0);
  }
  void little(std::size_t value, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) u8(static_cast<unsigned>(value >> (8 * i)) & 255U);
  }
  Bytes bytes;
};

// The stream of part 7: an integer bias, then the weights in the order of the layout.
bool is_wide(const Layer& layer);

// With `filled` the zeros that fill the cache lines of wide weights are among the values.
Floats stream(const Layer& layer, bool filled = true) {
  Floats values;
  if (layer.kind == 3) {  // groups of 4 inputs, filled with zeros
    const std::size_t stride = layer.outputs < 64 ? layer.outputs : (layer.outputs + 15) / 16 * 16;
    for (std::size_t k = 0; k < layer.inputs; k += 4) {
      for (std::size_t j = 0; j < stride; ++j) {
        for (std::size_t i = k; i < k + 4; ++i) {
          const bool inside = i < layer.inputs && j < layer.outputs;
          values.push_back(inside ? layer.weights[j * layer.inputs + i] : 0.0F);
        }
      }
    }
    return values;
  }
  if ((layer.scales & 24U) == bias_integer) values = layer.bias;
  const std::size_t k_count = layer.inputs;
  if (layer.kind == 2 || (layer.outputs <= 32 && k_count >= 64)) {
    for (std::size_t i = 0; i < layer.weights.size(); ++i) {
      if (layer.kind == 1 || layer.kept[i]) values.push_back(layer.weights[i]);
    }
  } else {
    for (std::size_t k = 0; k < k_count; ++k) {
      for (std::size_t j = 0; j < layer.outputs; ++j) values.push_back(layer.weights[j * k_count + k]);
      if (!filled || layer.outputs < 64 || !is_wide(layer)) continue;
      while (values.size() % 16 != 0) values.push_back(0.0F);
    }
  }
  return values;
}

void write_pattern(Writer& writer, const Layer& layer) {
  const std::size_t size = layer.inputs <= 255 ? 1 : layer.inputs <= 65535 ? 2 : 4;
  writer.align(size);
  for (std::size_t j = 0; j < layer.outputs; ++j) {
    std::size_t count = 0;
    for (std::size_t k = 0; k < layer.inputs; ++k) count += layer.kept[j * layer.inputs + k] ? 1 : 0;
    writer.little(count, size);
  }
  for (std::size_t i = 0; i < layer.kept.size(); ++i) {
    if (layer.kept[i]) writer.little(i % layer.inputs, size);
  }
}

bool is_wide(const Layer& layer) {
  if (layer.kind == 1) return layer.weight_type == 0 && layer.weights.size() >= 1024;
  return layer.kind == 3 && stream(layer).size() >= 4096;
}

void write_layer(Writer& writer, const Layer& layer, std::size_t wide_alignment) {
  writer.u8(layer.kind);
  writer.u8(layer.activation);
  writer.u8(layer.weight_type);
  writer.u8(layer.scales);
  writer.u32(layer.outputs);
  if (layer.activation == 4 || layer.activation == 7) writer.f32(layer.alpha);
  if (layer.kind == 2) {
    std::size_t nonzeros = 0;
    for (bool kept : layer.kept) nonzeros += kept ? 1 : 0;
    writer.u32(nonzeros);
  }
  if (layer.kind == 3) {
    writer.f32(layer.input_scale);
    writer.u32(layer.input_zero);
  }
  if ((layer.scales & 3U) == row_float) writer.f32s(layer.row_scale);
  if ((layer.scales & 3U) >= row_one) writer.i8s(layer.row_exponents);
  if ((layer.scales & columns) != 0) writer.i8s(layer.column_exponents);
  if ((layer.scales & 24U) == bias_float) {
    writer.align(4);
    writer.f32s(layer.bias);
  }
  if (layer.kind == 3) {
    writer.align(4);
    for (std::int32_t bias : layer.integer_bias) writer.u32(static_cast<std::uint32_t>(bias));
  }
  if (layer.kind == 2) write_pattern(writer, layer);
  const Floats values = stream(layer, wide_alignment == 64);
  if (is_wide(layer)) writer.align(wide_alignment);
  if (layer.weight_type == 0) {
    writer.align(4);
    writer.f32s(values);
  } else if (layer.weight_type == 1) {
    for (float value : values) writer.u8(static_cast<unsigned>(static_cast<int>(value)) & 255U);
  } else {
    for (std::size_t i = 0; i < values.size(); i += 2) {
      const unsigned low = static_cast<unsigned>(static_cast<int>(values[i])) & 15U;
      const unsigned high = i + 1 < values.size() ? static_cast<unsigned>(static_cast<int>(values[i + 1])) & 15U : 0;
      writer.u8(low | (high << 4U));
    }
  }
  writer.align(4);
}

std::size_t record_size(const Layer& layer) {
  Writer writer;
  write_layer(writer, layer, 4);
  return writer.bytes.size();
}

}  // namespace

void make_canonical(Layer& layer) {
  if (layer.outputs == 1 && (layer.scales & 3U) == row_many) layer.scales = (layer.scales & ~3U) | row_one;
  const bool plain_bias = (layer.scales & 24U) == bias_integer || layer.weight_type == 0;
  if (plain_bias && layer.bias == Floats(layer.bias.size(), 0.0F)) layer.scales &= ~24U;
  if (layer.kind != 2) return;
  Layer dense = layer;
  dense.kind = 1;
  dense.kept.clear();
  if (record_size(layer) >= record_size(dense)) layer = dense;
}

void put_checksum(Bytes& image) {
  for (std::size_t i = 12; i < 16; ++i) image[i] = 0;
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::uint8_t byte : image) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  for (std::size_t i = 0; i < 4; ++i) image[12 + i] = static_cast<std::uint8_t>(~crc >> (8 * i));
}

Bytes image_of(const Network& network) {
  Writer writer;
  const char metadata[] = "{\"a\":1}";
  writer.bytes = {0x52, 0x4C, 0x43, 0x1A, 1, 1};
  writer.u16(network.layers.size());
  writer.u32(0);
  writer.u32(0);
  writer.u32(network.inputs());
  writer.u32(network.outputs());
  writer.u8(network.head);
  bool wide = false;
  for (const Layer& layer : network.layers) wide = wide || is_wide(layer);
  writer.u8((wide ? 8U : 0U) | (network.range ? 1U : 0U) | (network.normalise ? 2U : 0U) |
            (network.selected.empty() ? 0U : 4U));
  writer.u16(network.golden_inputs.size());
  writer.u32(sizeof(metadata) - 1);
  writer.u32(2);  // rank 2 and its zero bytes
  writer.u32(1);
  writer.u32(network.inputs());
  if (network.range) {
    writer.f32s(Floats(network.inputs(), -10.0F));
    writer.f32s(Floats(network.inputs(), 10.0F));
  }
  if (network.normalise) {
    writer.f32(network.clip);
    writer.f32s(network.mean);
    writer.f32s(network.scale);
  }
  for (std::size_t k = 0; k < network.selected.size(); k += 8) {
    unsigned bits = 0;
    for (std::size_t i = 0; i < 8 && k + i < network.selected.size(); ++i)
      bits |= network.selected[k + i] ? 1U << i : 0U;
    writer.u8(bits);
  }
  writer.align(4);
  if (network.head == 1) writer.u32(static_cast<std::uint32_t>(network.start));
  if (network.head >= 2) {
    writer.f32s(network.low);
    writer.f32s(network.high);
    writer.f32s(network.head_scale);
    writer.f32s(network.head_offset);
  }
  if (wide) writer.align(64);
  for (const Layer& layer : network.layers) write_layer(writer, layer, 64);
  for (const Floats& input : network.golden_inputs) {
    writer.f32s(input);
    writer.f32s(reference_run(network, input));
  }
  for (std::size_t i = 0; i + 1 < sizeof(metadata); ++i) writer.u8(static_cast<unsigned char>(metadata[i]));
  writer.align(4);
  Bytes image = writer.bytes;
  for (std::size_t i = 0; i < 4; ++i) image[8 + i] = static_cast<std::uint8_t>(image.size() >> (8 * i));
  put_checksum(image);
  return image;
}

}  // namespace test
