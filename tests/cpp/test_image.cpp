// Malformed images: each rule of docs/format.md is refused by name and offset, and no bytes whatsoever make the reader
// or the runtime leave its buffers (meant to run under the address sanitizer too).
#include <rlcompress/model.hpp>

#include <string>

#include "check.hpp"
#include "malformed.hpp"
#include "network.hpp"

namespace {

using rlcompress::Model;
using rlcompress::Status;
using test::Bytes;
using test::check_lengths;
using test::check_mutations;
using test::expect;
using test::infinity_bits;
using test::minus_zero;
using test::nan_bits;
using test::sample;
using test::with;

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
  expect(with(good, 25, good[25] ^ 8U, 1), Status::bad_value, "contract_flags", 25);
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
  expect(with(good, layer0, 4, 1), Status::unknown_value, "kind", layer0);
  expect(with(good, layer0, 3, 1), Status::bad_value, "weight_type", layer0 + 2);
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

// A refused Result still gives a Model to who does not look: it answers, and touches nothing.
void check_refused() {
  const auto refused = Model::from_bytes({});
  alignas(4) std::uint8_t workspace[64] = {};
  std::size_t matched = 9;
  CHECK(refused->run({}, {}, workspace) == Status::no_image);
  CHECK(refused->run_batch(0, {}, {}, workspace) == Status::no_image);
  CHECK(refused->self_test(workspace, &matched) == Status::no_image && matched == 0);
}

// Cortex-M0 faults at a load from such an address.
void check_places(const Model& model) {
  Bytes workspace(model.workspace_bytes()), bytes(64);
  test::Floats x(3), y(2), both(5);
  for (std::size_t off = 1; off < sizeof(float); ++off) {
    auto* const odd = reinterpret_cast<float*>(bytes.data() + off);
    CHECK(model.run({odd, 3}, y, workspace) == Status::misaligned_array);
    CHECK(model.run(x, {odd, 2}, workspace) == Status::misaligned_array);
    CHECK(model.run_batch(1, {odd, 3}, y, workspace) == Status::misaligned_array);
    CHECK(model.run_batch(1, x, {odd, 2}, workspace) == Status::misaligned_array);
  }
  CHECK(model.run({both.data(), 3}, {both.data(), 2}, workspace) == Status::ok);
  CHECK(model.run_batch(1, {both.data(), 3}, {both.data(), 2}, workspace) == Status::overlap);
  CHECK(model.run_batch(1, {both.data(), 3}, {both.data() + 2, 2}, workspace) == Status::overlap);
  CHECK(model.run_batch(1, {both.data() + 1, 3}, {both.data(), 2}, workspace) == Status::overlap);
  CHECK(model.run_batch(1, {both.data(), 3}, {both.data() + 3, 2}, workspace) == Status::ok);
  CHECK(model.run_batch(1, {both.data() + 2, 3}, {both.data(), 2}, workspace) == Status::ok);
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
  check_refused();
  check_places(*Model::from_bytes(good));
  check_mutations(good);
  check_selection();
  const Bytes selected = test::image_of(selecting());
  check_lengths(selected);
  check_mutations(selected);
  return test::report();
}
