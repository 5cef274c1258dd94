// Dense layer of which only some weights are stored: row counts, then column indices and weights row by row.
#include "layers/layers.hpp"
#include "layers/record.hpp"

namespace rlcompress {
namespace {

std::uint32_t index_at(const std::uint8_t* indices, unsigned bytes, std::size_t i) noexcept {
  std::uint32_t value = 0;
  for (unsigned b = 0; b < bytes; ++b) value |= std::uint32_t{indices[i * bytes + b]} << (8 * b);
  return value;
}

std::uint8_t index_width(std::uint32_t inputs) noexcept {
  if (inputs <= 255) return 1;
  return inputs <= 65535 ? 2 : 4;
}

// Part 6: the counts fit the rows and add up; the indices rise strictly in each row.
bool decode_pattern(Reader& reader, detail::Layer& layer, std::uint32_t nonzeros) noexcept {
  const unsigned bytes = layer.index_bytes = index_width(layer.inputs);
  if (!reader.align(bytes)) return false;
  const std::size_t counts_at = reader.offset();
  layer.counts = reader.take("row counts", std::uint64_t{layer.outputs} * bytes);
  if (layer.counts == nullptr) return false;
  std::uint64_t sum = 0;
  for (std::uint32_t j = 0; j < layer.outputs; ++j) {
    const std::uint32_t count = index_at(layer.counts, bytes, j);
    if (count > layer.inputs) {
      return reader.refuse_range("row counts", counts_at + std::size_t{j} * bytes, 0, layer.inputs, count);
    }
    sum += count;
  }
  if (sum != nonzeros) return reader.refuse_range("row counts", counts_at, nonzeros, nonzeros, sum);
  const std::size_t indices_at = reader.offset();
  layer.indices = reader.take("column indices", sum * bytes);
  if (layer.indices == nullptr) return false;
  std::size_t i = 0;
  for (std::uint32_t j = 0; j < layer.outputs; ++j) {
    std::uint32_t least = 0;
    for (std::uint32_t left = index_at(layer.counts, bytes, j); left > 0; --left, ++i) {
      const std::uint32_t index = index_at(layer.indices, bytes, i);
      if (index < least || index >= layer.inputs) {
        return reader.refuse_range("column indices", indices_at + i * bytes, least, layer.inputs - 1, index);
      }
      least = index + 1;
    }
  }
  return true;
}

std::uint64_t padded(std::uint64_t bytes) noexcept { return (bytes + 3) / 4 * 4; }

// Where the dense record of the same layer would end; its parts end 4 bytes earlier, without the nonzeros.
std::uint64_t dense_end(const detail::Layer& layer, std::uint64_t parts_end) noexcept {
  const std::uint64_t start = parts_end - sizeof(std::uint32_t);
  const std::uint64_t weights = std::uint64_t{layer.inputs} * layer.outputs;
  if (weight_type(layer) == WeightType::float32) return padded(start) + 4 * weights;
  const std::uint64_t count = layer.first + weights;
  return padded(start + (weight_type(layer) == WeightType::int8 ? count : count / 2 + count % 2));
}

}  // namespace

bool decode_sparse_dense(Reader& reader, detail::Layer& layer) noexcept {
  const std::size_t at = reader.offset() - 8;  // of the record
  std::uint32_t nonzeros = 0;
  if (!decode_alpha(reader, layer) ||
      !reader.u32_within("nonzeros", 0, std::uint64_t{layer.inputs} * layer.outputs, nonzeros) ||
      !decode_scales_and_bias(reader, layer)) {
    return false;
  }
  const std::size_t parts_end = reader.offset();
  if (!decode_pattern(reader, layer, nonzeros) || !decode_weights(reader, layer, nonzeros)) return false;
  if (padded(reader.offset()) < dense_end(layer, parts_end)) return true;
  return reader.refuse(Status::bad_value, "kind", at, "1 dense, which has no more bytes here", "2 sparse dense");
}

void run_sparse_dense(const detail::Layer& layer, const KernelTable& kernels, const float* x, float* y) noexcept {
  SparseCall call{};
  call.weights = layer.weights;
  call.first = layer.first;
  call.counts = layer.counts;
  call.indices = layer.indices;
  call.index_bytes = layer.index_bytes;
  call.x = x;
  call.start = starting_sums(layer, y);
  call.y = y;
  call.outputs = layer.outputs;
  kernels.sparse[layer.weight_type](call);
  finish_rows(layer, kernels, y, false);
}

}  // namespace rlcompress
