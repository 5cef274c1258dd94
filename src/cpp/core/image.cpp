// Model::from_bytes: reads and checks a whole image, block by block (docs/format.md, "Layout").
#include <rlcompress/model.hpp>

#include "core/checksum.hpp"
#include "core/dispatch.hpp"
#include "core/workspace.hpp"
#include "layers/reader.hpp"
#include "layers/layers.hpp"
#include "layers/record.hpp"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "rlcompress runs .rlc images in place, which needs a little-endian processor"
#endif

namespace rlcompress {

class ImageDecoder {
 public:
  ImageDecoder(View<const std::uint8_t> image, Model& model, Fault& fault) noexcept
      : image_(image), model_(model), reader_(image, fault) {}

  bool decode() noexcept { return header() && contract() && layers() && golden() && end(); }

 private:
  static constexpr std::uint32_t max_width = 1048576;

  bool header() noexcept;
  bool checksum(std::uint32_t stored) noexcept;
  bool contract() noexcept;
  bool selection() noexcept;
  bool head() noexcept;
  bool layers() noexcept;
  bool layer(std::uint32_t index, std::uint32_t inputs) noexcept;
  bool scales(detail::Layer& layer) noexcept;
  bool golden() noexcept;
  bool end() noexcept;
  void join_integer_layers() noexcept;
  void plan_buffers() noexcept;

  View<const std::uint8_t> image_;
  Model& model_;
  Reader reader_;
  std::uint8_t contract_flags_ = 0;
  std::uint32_t network_inputs_ = 0;
  std::uint32_t metadata_length_ = 0;
};

bool ImageDecoder::header() noexcept {
  static constexpr std::uint8_t magic[4] = {0x52, 0x4C, 0x43, 0x1A};
  const std::uint8_t* found = reader_.take("magic", sizeof(magic));
  if (found == nullptr) return false;
  if (std::memcmp(found, magic, sizeof(magic)) != 0) {
    return reader_.refuse(Status::bad_magic, "magic", 0, "the bytes 52 4C 43 1A", "others");
  }
  std::uint8_t version = 0;
  std::uint8_t arithmetic = 0;
  if (!reader_.u8("version", version)) return false;
  if (version != 1) return reader_.refuse_number(Status::unknown_value, "version", 4, "1", version);
  if (!reader_.u8("arithmetic", arithmetic)) return false;
  if (arithmetic != 1) return reader_.refuse_number(Status::unknown_value, "arithmetic", 5, "1", arithmetic);
  std::uint32_t length = 0;
  std::uint32_t stored = 0;
  if (!reader_.u16("layer_count", model_.layer_count_) || !reader_.u32("total_length", length)) return false;
  if (length != image_.size()) {
    const Status status = length > image_.size() ? Status::truncated : Status::trailing_bytes;
    reader_.refuse_range("total_length", 8, image_.size(), image_.size(), length);
    return reader_.refuse_with(status);
  }
  if (!reader_.u32("checksum", stored) || !checksum(stored)) return false;
  if (model_.layer_count_ < 1 || model_.layer_count_ > Model::max_layers) {
    return reader_.refuse_range("layer_count", 6, 1, Model::max_layers, model_.layer_count_);
  }
  if (!reader_.u32_within("input_size", 1, max_width, model_.input_size_) ||
      !reader_.u32_within("output_size", 1, max_width, model_.output_size_) ||
      !reader_.u8_below("head", 4, model_.contract_.head) || !reader_.u8_below("contract_flags", 16, contract_flags_) ||
      !reader_.u16("golden_count", model_.golden_count_) || !reader_.u32("metadata_length", metadata_length_)) {
    return false;
  }
  model_.action_size_ = model_.contract_.head == 1 ? 1 : model_.output_size_;
  return true;
}

bool ImageDecoder::checksum(std::uint32_t stored) noexcept {
  static constexpr std::uint8_t zeros[4] = {};
  const std::size_t at = reader_.offset() - sizeof(zeros);
  Crc32 crc;
  crc.add(image_.data(), at);
  crc.add(zeros, sizeof(zeros));
  crc.add(image_.data() + at + sizeof(zeros), image_.size() - at - sizeof(zeros));
  if (crc.value() == stored) return true;
  char expected[12];
  char found[12];
  Text(expected).add_hex(crc.value());
  Text(found).add_hex(stored);
  return reader_.refuse(Status::bad_checksum, "checksum", at, expected, found);
}

bool ImageDecoder::contract() noexcept {
  detail::Contract& contract = model_.contract_;
  const std::size_t at = reader_.offset();
  if (!reader_.u8("observation_rank", contract.observation_rank)) return false;
  if (contract.observation_rank < 1 || contract.observation_rank > 4) {
    return reader_.refuse_range("observation_rank", at, 1, 4, contract.observation_rank);
  }
  if (!reader_.align(4)) return false;
  const std::size_t shape_at = reader_.offset();
  std::uint64_t product = 1;
  for (std::uint32_t i = 0; i < contract.observation_rank; ++i) {
    if (!reader_.u32_within("dimensions", 1, model_.input_size_, contract.observation_shape[i])) return false;
    product *= contract.observation_shape[i];
    if (product > model_.input_size_) break;
  }
  if (product != model_.input_size_) {
    return reader_.refuse_range("dimensions", shape_at, model_.input_size_, model_.input_size_, product);
  }
  const std::uint32_t n = model_.input_size_;
  if ((contract_flags_ & 1U) != 0) {
    if (!reader_.floats("observation_low", n, Floats::not_nan, contract.observation_low) ||
        !reader_.floats("observation_high", n, Floats::not_nan, contract.observation_high) ||
        !reader_.not_above("observation_low", contract.observation_low, contract.observation_high, n)) {
      return false;
    }
  }
  if ((contract_flags_ & 2U) != 0) {
    const float* clip = nullptr;
    if (!reader_.floats("clip", 1, Floats::above_zero, clip) ||
        !reader_.floats("mean", n, Floats::finite, contract.mean) ||
        !reader_.floats("scale", n, Floats::finite_above_zero, contract.scale)) {
      return false;
    }
    contract.clip = *clip;
  }
  return selection() && head();
}

bool ImageDecoder::selection() noexcept {
  const std::uint32_t n = model_.input_size_;
  network_inputs_ = n;
  if ((contract_flags_ & 4U) == 0) return true;
  const std::uint32_t size = (n + 7) / 8;
  const std::size_t at = reader_.offset();
  const std::uint8_t* bytes = reader_.take("selection", size);
  if (bytes == nullptr) return false;
  if (n % 8 != 0 && (bytes[size - 1] >> (n % 8)) != 0) {
    return reader_.refuse_number(Status::bad_padding, "selection", at + size - 1, "0 in the unused bits",
                                 bytes[size - 1]);
  }
  network_inputs_ = 0;
  for (std::uint32_t i = 0; i < size; ++i) {
    for (unsigned bits = bytes[i]; bits != 0; bits &= bits - 1) ++network_inputs_;
  }
  if (network_inputs_ == 0 || network_inputs_ == n) {
    return reader_.refuse_number(Status::bad_value, "selection", at, "some of the values, not none and not all",
                                 network_inputs_);
  }
  model_.contract_.selection = bytes;
  model_.weights_bytes_ += size;
  return reader_.align(4);
}

bool ImageDecoder::head() noexcept {
  detail::Contract& contract = model_.contract_;
  if (contract.head == 0) return true;
  if (contract.head == 1) {
    std::uint32_t start = 0;
    if (!reader_.u32("start", start)) return false;
    std::memcpy(&contract.start, &start, sizeof(start));
    // float32 counts up to 2^24 without gaps; actions are written as float32.
    const std::int64_t most = (std::int64_t{1} << 24) - model_.output_size_;
    if (contract.start >= -most && contract.start <= most) return true;
    return reader_.refuse_number(Status::bad_value, "start", reader_.offset() - sizeof(start),
                                 "within +-(2^24 - output_size)", contract.start);
  }
  const std::uint32_t m = model_.output_size_;
  const float** arrays = contract.head_arrays;
  return reader_.floats("low", m, Floats::not_nan, arrays[0]) &&
         reader_.floats("high", m, Floats::not_nan, arrays[1]) && reader_.not_above("low", arrays[0], arrays[1], m) &&
         reader_.floats("scale", m, Floats::finite, arrays[2]) &&
         reader_.floats("offset", m, Floats::finite, arrays[3]);
}

bool ImageDecoder::layers() noexcept {
  static constexpr std::size_t flags_at = 25;
  const bool aligned = (contract_flags_ & 8U) != 0;
  if (aligned && !reader_.align(wide_alignment)) return false;
  bool wide = false;
  std::uint32_t inputs = network_inputs_;
  for (std::uint32_t i = 0; i < model_.layer_count_; ++i) {
    if (!layer(i, inputs)) return false;
    inputs = model_.layers_[i].outputs;
    wide = wide || has_wide_weights(model_.layers_[i]);
  }
  reader_.enter_layer(-1);
  if (wide != aligned) {
    return reader_.refuse_number(Status::bad_value, "contract_flags", flags_at, wide ? "bit 3 set" : "bit 3 clear",
                                 contract_flags_);
  }
  join_integer_layers();
  plan_buffers();
  return true;
}

bool ImageDecoder::layer(std::uint32_t index, std::uint32_t inputs) noexcept {
  detail::Layer& layer = model_.layers_[index];
  reader_.enter_layer(static_cast<std::int32_t>(index));
  layer.inputs = inputs;
  const std::size_t at = reader_.offset();
  if (!reader_.u8("kind", layer.kind) || !reader_.u8_below("activation", activation_count, layer.activation) ||
      !reader_.u8_below("weight_type", 3, layer.weight_type) || !scales(layer) ||
      !reader_.u32_within("outputs", 1, max_width, layer.outputs)) {
    return false;
  }
  if (index + 1U == model_.layer_count_ && layer.outputs != model_.output_size_) {
    return reader_.refuse_range("outputs", at + 4, model_.output_size_, model_.output_size_, layer.outputs);
  }
  if (row_scale_form(layer) == RowScaleForm::exponents && layer.outputs == 1) {
    return reader_.refuse_number(Status::bad_value, "scales", at + 3, "row scale 2 for one output", layer.scales);
  }
  bool decoded = false;
  switch (layer.kind) {
#define RLCOMPRESS_LAYER(code, name) \
  case code: decoded = decode_##name(reader_, layer); break;
#include "layers/layers.def"
#undef RLCOMPRESS_LAYER
    default:
      return reader_.refuse_number(Status::unknown_value, "kind", at, "1 dense, 2 sparse dense or 3 integer dense",
                                   layer.kind);
  }
  if (!decoded || !reader_.align(4)) return false;
  model_.weights_bytes_ += static_cast<std::size_t>(stored_bytes(layer));
  return true;
}

bool ImageDecoder::scales(detail::Layer& layer) noexcept {
  const std::size_t at = reader_.offset();
  if (!reader_.u8("scales", layer.scales)) return false;
  if ((layer.scales & 0xE0U) != 0 || (layer.scales & 0x18U) == 0x18U) {
    return reader_.refuse_number(Status::unknown_value, "scales", at, "bits 5-7 zero and bias 0, 1 or 2", layer.scales);
  }
  const bool integer = weight_type(layer) != WeightType::float32;
  if (!integer && layer.scales != 0x00U && layer.scales != 0x08U) {
    return reader_.refuse_number(Status::bad_value, "scales", at, "0 or 8 with float32 weights", layer.scales);
  }
  return true;
}

// Between integer layers the values travel as bytes; column exponents need floats.
void ImageDecoder::join_integer_layers() noexcept {
  for (std::uint32_t i = 0; i + 1U < model_.layer_count_; ++i) {
    detail::Layer& layer = model_.layers_[i];
    detail::Layer& next = model_.layers_[i + 1];
    if (!(layer.input_scale > 0.0F && next.input_scale > 0.0F) || has_columns(next)) continue;
    layer.next_scale = next.input_scale;
    layer.next_zero = next.input_zero;
    next.takes_bytes = true;
  }
}

void ImageDecoder::plan_buffers() noexcept {
  const auto hold = [this](std::uint32_t position, std::size_t count) {
    std::size_t& floats = position % 2 == 0 ? model_.even_floats_ : model_.odd_floats_;
    if (count > floats) floats = count;
  };
  const detail::Contract& contract = model_.contract_;
  if (contract.mean != nullptr) {
    hold(0, model_.input_size_);
  } else if (contract.selection != nullptr || has_columns(model_.layers_[0])) {
    hold(0, network_inputs_);
  }
  for (std::uint32_t i = 0; i < model_.layer_count_; ++i) {
    const detail::Layer& layer = model_.layers_[i];
    const bool integer = layer.input_scale > 0.0F;  // its kernels write whole vectors
    hold(i + 1, integer ? (std::size_t{layer.outputs} + 15) / 16 * 16 : layer.outputs);
    if (wants_bytes(layer)) hold(i, (std::size_t{layer.inputs} + 15) / 16 * 4);
  }
  while (model_.chain_ < model_.layer_count_ && is_chained(model_.layers_[model_.chain_])) ++model_.chain_;
  model_.even_floats_ = row_floats(model_.even_floats_);
  model_.odd_floats_ = row_floats(model_.odd_floats_);
}

bool ImageDecoder::golden() noexcept {
  const std::uint64_t floats =
      std::uint64_t{model_.golden_count_} * (std::uint64_t{model_.input_size_} + model_.action_size_);
  const std::uint8_t* bytes = reader_.take("golden vectors", 4 * floats);
  model_.golden_ = reinterpret_cast<const float*>(bytes);
  return bytes != nullptr;
}

bool ImageDecoder::end() noexcept {
  if (reader_.take("metadata", metadata_length_) == nullptr || !reader_.align(4)) return false;
  const std::size_t left = image_.size() - reader_.offset();
  if (left == 0) return true;
  return reader_.refuse_number(Status::trailing_bytes, "total_length", reader_.offset(), "no bytes after the metadata",
                               static_cast<std::int64_t>(left));
}

Result<Model> Model::from_bytes(View<const std::uint8_t> image, Fault* fault) noexcept {
  Fault own;
  Fault& reason = fault != nullptr ? *fault : own;
  reason = Fault{};
  Result<Model> result;
  Status unused = Status::ok;
  active_table(unused);  // chosen here, so that the first run() takes no longer than the others
  if (image.data() == nullptr && image.size() > 0) {
    reason.status = Status::null_pointer;
    reason.field = "image";
    Text(reason.expected).add("the address of the image");
    Text(reason.found).add("null");
  } else if (reinterpret_cast<std::uintptr_t>(image.data()) % 4 != 0) {
    reason.status = Status::misaligned_image;
    reason.field = "image";
    Text(reason.expected).add("an address that is a multiple of 4");
    Text(reason.found).add("another");
  } else {
    ImageDecoder(image, result.value_, reason).decode();
  }
  result.status_ = reason.status;
  if (reason.status != Status::ok) result.value_ = Model();
  return result;
}

}  // namespace rlcompress
