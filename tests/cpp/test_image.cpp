// Malformed images: each rule of docs/format.md is refused by name and offset, and no bytes whatsoever make the reader
// or the runtime leave its buffers (meant to run under the address sanitizer too).
#include <rlcompress/model.hpp>

#include <cstdlib>
#include <memory>
#include <string>

#include "check.hpp"
#include "network.hpp"

namespace {

using rlcompress::Fault;
using rlcompress::Model;
using rlcompress::Status;
using test::Bytes;

struct Free {
  void operator()(std::uint8_t* p) const { std::free(p); }
};

// Exactly as long as the image, so that a sanitizer sees any byte read too far.
std::unique_ptr<std::uint8_t, Free> exact_copy(const Bytes& image) {
  std::unique_ptr<std::uint8_t, Free> copy(
      static_cast<std::uint8_t*>(std::malloc(image.size() + (image.empty() ? 1 : 0))));
  if (!image.empty()) std::memcpy(copy.get(), image.data(), image.size());
  return copy;
}

Fault fault_of(const Bytes& image) {
  const auto copy = exact_copy(image);
  Fault fault;
  const auto model = Model::from_bytes({copy.get(), image.size()}, &fault);
  CHECK(static_cast<bool>(model) == (fault.status == Status::ok) && model.status() == fault.status);
  if (model) {
    Bytes workspace(model->workspace_bytes());
    test::Floats x(model->input_size(), 0.5F);
    test::Floats y(model->action_size());
    CHECK(model->run(x, y, workspace) == Status::ok);
    const Status status = model->self_test(workspace);
    CHECK(status == Status::ok || status == Status::golden_mismatch);
  }
  return fault;
}

void expect(Bytes image, Status status, const char* field, std::size_t offset, bool checksum = true) {
  if (checksum) test::put_checksum(image);
  const Fault fault = fault_of(image);
  CHECK_THAT(fault.status == status && std::string(fault.field) == field && fault.offset == offset,
             "wanted %s %s at %zu, got %s %s at %zu (expected %s, found %s)", rlcompress::name(status), field, offset,
             rlcompress::name(fault.status), fault.field, fault.offset, fault.expected, fault.found);
}

Bytes with(Bytes image, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) image[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  return image;
}

constexpr std::uint32_t nan_bits = 0x7FC00000, infinity_bits = 0x7F800000, minus_zero = 0x80000000;

// 3 -> 5 -> 2; the first layer int4 with everything, the second sparse float32.
test::Network sample() {
  test::Random random(7);
  test::Network network = test::random_network(random, {3, 5, 2}, false);
  network.range = network.normalise = true;
  network.head = 2;
  network.high = {2.0F, 2.0F};
  test::Layer& first = network.layers[0];
  first.kind = 1;
  first.activation = 7;
  first.alpha = 0.25F;
  first.weight_type = 2;
  first.scales = test::row_many | test::columns | test::bias_float;
  first.row_exponents.assign(5, -3);
  first.column_exponents.assign(3, 2);
  first.weights.assign(15, 3.0F);
  test::Layer& second = network.layers[1];
  second.kind = 2;
  second.activation = 4;
  second.alpha = 1.0F;
  second.weight_type = 0;
  second.scales = test::bias_float;
  second.weights.assign(10, 0.5F);
  second.kept = {true, false, true, true, false, false, true, false, false, true};
  return network;
}

// Offsets in the image of sample().
enum : std::size_t {
  rank_at = 32,
  dimensions = 36,
  low_at = 44,
  high_at = 56,
  clip_at = 68,
  mean_at = 72,
  scale_at = 84,
  head_low = 96,
  head_high = 104,
  head_scale = 112,
  head_offset = 120,
  layer0 = 128,
  alpha0 = 136,
  rows0 = 140,
  columns0 = 145,
  bias0 = 148,
  weights0 = 168,
  layer1 = 176,
  alpha1 = 184,
  nonzeros = 188,
  bias1 = 192,
  counts = 200,
  indices = 202,
  weights1 = 208,
  golden = 228
};

void check_rules(const Bytes& good) {
  expect(good, Status::ok, "", 0);
  expect(with(good, 0, 0x53, 1), Status::bad_magic, "magic", 0);
  expect(with(good, 4, 2, 1), Status::unknown_value, "version", 4);
  expect(with(good, 5, 0, 1), Status::unknown_value, "arithmetic", 5);
  expect(with(good, 8, good.size() + 4, 4), Status::truncated, "total_length", 8);
  expect(with(good, 8, good.size() - 4, 4), Status::trailing_bytes, "total_length", 8);
  expect(with(good, 30, 1, 1), Status::bad_checksum, "checksum", 12, false);
  expect(with(good, 6, 0, 2), Status::bad_value, "layer_count", 6);
  expect(with(good, 6, 65, 2), Status::bad_value, "layer_count", 6);
  expect(with(good, 16, 0, 4), Status::bad_value, "input_size", 16);
  expect(with(good, 16, 1048577, 4), Status::bad_value, "input_size", 16);
  expect(with(good, 20, 0xFFFFFFFF, 4), Status::bad_value, "output_size", 20);
  expect(with(good, 24, 4, 1), Status::unknown_value, "head", 24);
  expect(with(good, 25, 16, 1), Status::unknown_value, "contract_flags", 25);
  expect(with(good, 26, 4, 2), Status::truncated, "golden vectors", golden);
  expect(with(good, 28, 0xFFFFFFFF, 4), Status::truncated, "metadata", golden + 60);
  expect(with(good, 28, 3, 4), Status::bad_padding, "padding", golden + 63);
  expect(with(good, rank_at, 0, 1), Status::bad_value, "observation_rank", rank_at);
  expect(with(good, rank_at, 5, 1), Status::bad_value, "observation_rank", rank_at);
  expect(with(good, rank_at + 2, 1, 1), Status::bad_padding, "padding", rank_at + 2);
  expect(with(good, dimensions, 0, 4), Status::bad_value, "dimensions", dimensions);
  expect(with(good, dimensions, 2, 4), Status::bad_value, "dimensions", dimensions);
  expect(with(good, low_at + 4, nan_bits, 4), Status::bad_value, "observation_low", low_at + 4);
  expect(with(good, high_at, nan_bits, 4), Status::bad_value, "observation_high", high_at);
  expect(with(good, low_at + 8, 0x41300000, 4), Status::bad_value, "observation_low", low_at + 8);
  expect(with(good, low_at + 8, infinity_bits | minus_zero, 4), Status::ok, "", 0);
  expect(with(good, clip_at, 0, 4), Status::bad_value, "clip", clip_at);
  expect(with(good, clip_at, nan_bits, 4), Status::bad_value, "clip", clip_at);
  expect(with(good, clip_at, infinity_bits, 4), Status::ok, "", 0);
  expect(with(good, mean_at, infinity_bits, 4), Status::bad_value, "mean", mean_at);
  expect(with(good, scale_at + 8, 0, 4), Status::bad_value, "scale", scale_at + 8);
  expect(with(good, scale_at + 8, infinity_bits, 4), Status::bad_value, "scale", scale_at + 8);
  expect(with(good, head_low, nan_bits, 4), Status::bad_value, "low", head_low);
  expect(with(good, head_low, 0x7F7FFFFF, 4), Status::bad_value, "low", head_low);
  expect(with(good, head_high + 4, nan_bits, 4), Status::bad_value, "high", head_high + 4);
  expect(with(good, head_scale, infinity_bits, 4), Status::bad_value, "scale", head_scale);
  expect(with(good, head_offset, nan_bits, 4), Status::bad_value, "offset", head_offset);
  expect(with(good, layer0, 0, 1), Status::unknown_value, "kind", layer0);
  expect(with(good, layer0, 3, 1), Status::unknown_value, "kind", layer0);
  expect(with(good, layer0 + 1, 8, 1), Status::unknown_value, "activation", layer0 + 1);
  expect(with(good, layer0 + 2, 3, 1), Status::unknown_value, "weight_type", layer0 + 2);
  expect(with(good, layer0 + 3, 0x20, 1), Status::unknown_value, "scales", layer0 + 3);
  expect(with(good, layer0 + 3, 0x18, 1), Status::unknown_value, "scales", layer0 + 3);
  expect(with(good, layer1 + 3, 0x10, 1), Status::bad_value, "scales", layer1 + 3);
  expect(with(good, layer1 + 3, 0x0C, 1), Status::bad_value, "scales", layer1 + 3);
  expect(with(good, layer0 + 4, 0, 4), Status::bad_value, "outputs", layer0 + 4);
  expect(with(good, layer0 + 4, 1048577, 4), Status::bad_value, "outputs", layer0 + 4);
  expect(with(good, layer0 + 4, 1048576, 4), Status::truncated, "row scale", rows0);
  expect(with(good, layer1 + 4, 3, 4), Status::bad_value, "outputs", layer1 + 4);
  expect(with(good, alpha0, 0x3F800001, 4), Status::bad_value, "alpha", alpha0);
  expect(with(good, alpha0, 0xBF800000, 4), Status::bad_value, "alpha", alpha0);
  expect(with(good, alpha1, infinity_bits, 4), Status::bad_value, "alpha", alpha1);
  expect(with(good, alpha1, nan_bits, 4), Status::bad_value, "alpha", alpha1);
  expect(with(good, rows0 + 4, 121, 1), Status::bad_value, "row scale", rows0 + 4);
  expect(with(good, columns0, 0x87, 1), Status::bad_value, "column exponents", columns0);
  expect(with(good, bias0 + 4, minus_zero, 4), Status::bad_value, "bias", bias0 + 4);
  expect(with(good, bias0 + 4, nan_bits, 4), Status::bad_value, "bias", bias0 + 4);
  expect(with(good, weights0 + 1, 0x83, 1), Status::bad_value, "weights", weights0 + 1);
  expect(with(good, weights0 + 1, 0x38, 1), Status::bad_value, "weights", weights0 + 1);
  expect(with(good, weights0 + 7, 0x13, 1), Status::bad_padding, "weights", weights0 + 7);
  expect(with(good, nonzeros, 11, 4), Status::bad_value, "nonzeros", nonzeros);
  expect(with(good, nonzeros, 4, 4), Status::bad_value, "row counts", counts);
  expect(with(good, counts, 6, 1), Status::bad_value, "row counts", counts);
  expect(with(good, counts, 4, 1), Status::bad_value, "row counts", counts);
  expect(with(good, indices + 1, 0, 1), Status::bad_value, "column indices", indices + 1);
  expect(with(good, indices + 4, 5, 1), Status::bad_value, "column indices", indices + 4);
  expect(with(good, indices + 5, 1, 1), Status::bad_padding, "padding", indices + 5);
  expect(with(good, weights1, infinity_bits, 4), Status::bad_value, "weights", weights1);
  expect(with(good, golden + 67, 1, 1), Status::bad_padding, "padding", golden + 67);
}

// What would be a second encoding of the same content.
void check_canonical_rules() {
  test::Network network = sample();
  network.head = 1;
  network.start = 3;
  const Bytes good = test::image_of(network);
  expect(good, Status::ok, "", 0);
  expect(with(good, head_low, 0xFEFFFFFE, 4), Status::bad_value, "start", head_low);
  expect(with(good, head_low, 0x00FFFFFF, 4), Status::bad_value, "start", head_low);

  network = sample();
  network.layers[1].kept.assign(10, true);
  expect(test::image_of(network), Status::bad_value, "kind", layer1);

  network = sample();
  network.layers[1].bias.assign(2, 0.0F);
  expect(test::image_of(network), Status::bad_value, "bias", bias1);
  network.layers[1].scales = test::bias_none;
  expect(test::image_of(network), Status::ok, "", 0);
  network.layers[0].bias.assign(5, 0.0F);  // not the same as none: it is added after the row scale
  expect(test::image_of(network), Status::ok, "", 0);
  network.layers[0].scales = test::bias_integer;
  expect(test::image_of(network), Status::bad_value, "bias", rows0);

  test::Random random(2);
  network = test::random_network(random, {3, 1}, false);
  network.range = network.normalise = false;
  network.head = 0;
  test::Layer& only = network.layers[0];
  only.kind = only.weight_type = 1;
  only.activation = 0;
  only.scales = test::row_many;
  only.weights.assign(3, 1.0F);
  only.row_exponents = {1};
  expect(test::image_of(network), Status::bad_value, "scales", 44 + 3);
}

void check_other_forms() {
  test::Network network = sample();
  network.layers[0].weight_type = 1;
  network.layers[0].scales = test::row_float | test::bias_integer;
  for (float& b : network.layers[0].bias) b = 7.0F;
  const Bytes good = test::image_of(network);
  expect(good, Status::ok, "", 0);
  expect(with(good, rows0 + 4, 0, 4), Status::bad_value, "row scale", rows0 + 4);
  expect(with(good, rows0 + 4, infinity_bits, 4), Status::bad_value, "row scale", rows0 + 4);
  expect(with(good, rows0 + 20, 0x80, 1), Status::bad_value, "weights", rows0 + 20);
  expect(with(good, rows0 + 39, 0x80, 1), Status::bad_value, "weights", rows0 + 39);
}

// sample() reading the values 1, 4 and 9 of ten.
test::Network selecting() {
  test::Network network = sample();
  network.selected.assign(10, false);
  for (std::size_t k : {1U, 4U, 9U}) network.selected[k] = true;
  network.mean.assign(10, 0.5F);
  network.scale.assign(10, 2.0F);
  for (test::Floats& input : network.golden_inputs) input.assign(10, 0.25F);
  return network;
}

void check_selection() {
  constexpr std::size_t selection = 208;
  const Bytes good = test::image_of(selecting());
  expect(good, Status::ok, "", 0);
  CHECK(good[selection] == 0x12 && good[selection + 1] == 0x02);
  CHECK(Model::from_bytes(good)->weights_bytes() == Model::from_bytes(test::image_of(sample()))->weights_bytes() + 2);
  expect(with(good, selection, 0, 2), Status::bad_value, "selection", selection);
  expect(with(good, selection, 0x03FF, 2), Status::bad_value, "selection", selection);
  expect(with(good, selection + 1, 0x06, 1), Status::bad_padding, "selection", selection + 1);
  expect(with(good, selection + 2, 1, 1), Status::bad_padding, "padding", selection + 2);
  Bytes cut(good.begin(), good.begin() + selection + 1);
  expect(with(cut, 8, cut.size(), 4), Status::truncated, "selection", selection);

  test::Network network = selecting();  // nothing but the selection asks for a copy of the observation
  network.normalise = false;
  network.layers[0].scales &= ~static_cast<unsigned>(test::columns);
  expect(test::image_of(network), Status::ok, "", 0);
}

void check_lengths(const Bytes& good) {
  for (std::size_t n = 0; n < good.size(); ++n) {
    Bytes image(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
    CHECK_THAT(fault_of(image).status != Status::ok, "%zu bytes", n);
    if (n < 16) continue;
    image = with(image, 8, n, 4);
    test::put_checksum(image);
    CHECK_THAT(fault_of(image).status != Status::ok, "%zu bytes, claimed", n);
  }
  Bytes longer = good;
  longer.insert(longer.end(), 4, 0);
  expect(longer, Status::trailing_bytes, "total_length", 8);
  expect(with(longer, 8, longer.size(), 4), Status::trailing_bytes, "total_length", good.size());
}

void check_mutations(const Bytes& good) {
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at >= 12 && at < 16) continue;
    for (unsigned value = 0; value < 256; ++value) {
      Bytes image = with(good, at, value, 1);
      test::put_checksum(image);
      fault_of(image);
    }
  }
  test::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    Bytes image = good;
    for (int changes = 0; changes < 4; ++changes) {
      const std::size_t at = 16 + random() % (image.size() - 20);
      const auto value = random();
      const auto shift = random() % 32;
      image = with(image, at, value >> shift, 1 + random() % 4);
    }
    test::put_checksum(image);
    fault_of(image);
  }
}

void check_arguments(const Bytes& good) {
  const auto model = Model::from_bytes(good);
  Bytes workspace(model->workspace_bytes() + 4);
  test::Floats x(3), y(2);
  const rlcompress::View<std::uint8_t> enough(workspace.data(), model->workspace_bytes());
  CHECK(model->run(x, y, enough) == Status::ok);
  CHECK(model->run({x.data(), 2}, y, enough) == Status::observation_size);
  CHECK(model->run(x, {y.data(), 1}, enough) == Status::action_size);
  CHECK(model->run(x, y, {workspace.data(), model->workspace_bytes() - 1}) == Status::workspace_size);
  CHECK(model->run(x, y, {workspace.data() + 1, model->workspace_bytes()}) == Status::misaligned_workspace);
  CHECK(model->run_batch(0, {x.data(), 0}, {y.data(), 0}, enough) == Status::ok);
  CHECK(model->run_batch(SIZE_MAX / 2, x, y, enough) == Status::observation_size);
  CHECK(model->self_test({workspace.data(), 0}) == Status::workspace_size);
  Bytes shifted(good.size() + 1);
  std::memcpy(shifted.data() + 1, good.data(), good.size());
  CHECK(Model::from_bytes({shifted.data() + 1, good.size()}).status() == Status::misaligned_image);
  CHECK(Model::from_bytes({}).status() == Status::truncated);
  CHECK(std::string(rlcompress::message(Status::workspace_size)).find("workspace_bytes") != std::string::npos);

  const auto wrong = with(good, golden + 12, 0x40490FDB, 4);
  Bytes image = wrong;
  test::put_checksum(image);
  std::size_t matched = 9;
  CHECK(Model::from_bytes(image)->self_test(enough, &matched) == Status::golden_mismatch && matched == 0);
}

}  // namespace

int main() {
  const Bytes good = test::image_of(sample());
  check_rules(good);
  check_other_forms();
  check_canonical_rules();
  check_lengths(good);
  check_arguments(good);
  check_mutations(good);
  check_selection();
  const Bytes selected = test::image_of(selecting());
  check_lengths(selected);
  check_mutations(selected);
  return test::report();
}
