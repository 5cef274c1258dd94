// Integer dense records: each rule of docs/format.md is refused by name and offset.
#include <rlcompress/model.hpp>

#include <algorithm>

#include "check.hpp"
#include "malformed.hpp"
#include "network.hpp"

namespace {

using rlcompress::Model;
using rlcompress::Status;
using test::Bytes;
using test::expect;
using test::infinity_bits;
using test::nan_bits;
using test::with;

constexpr std::size_t layer0 = 128;

// sample() with an integer layer of its own in front: 3 inputs, so that a group is filled with zeros.
test::Network integers() {
  test::Network network = test::sample();
  test::Layer& first = network.layers[0];
  first.kind = 3;
  first.weight_type = 1;
  first.scales = test::row_float | test::columns;
  first.row_scale.assign(5, 0.25F);
  first.input_scale = 8.0F;
  first.input_zero = 128;
  first.integer_bias = {1, -2, 3, -4, 5};
  return network;
}

void check_integers() {
  // After the header, alpha at layer0 + 8, then:
  constexpr std::size_t input_scale = layer0 + 12, input_zero = layer0 + 16, rows = layer0 + 20,
                        exponents = layer0 + 40, padding = layer0 + 43, bias = layer0 + 44, weights = layer0 + 64;
  const Bytes good = test::image_of(integers());
  expect(good, Status::ok, "", 0);
  CHECK(Model::from_bytes(good)->weights_bytes() == 4 + 4 + 20 + 3 + 20 + 15 + 8 + 7 + 20);
  expect(with(good, layer0 + 2, 2, 1), Status::bad_value, "weight_type", layer0 + 2);
  for (unsigned scales : {0U, 2U, 3U, 4U, 9U, 17U}) {
    expect(with(good, layer0 + 3, scales, 1), Status::bad_value, "scales", layer0 + 3);
  }
  expect(with(good, input_scale, 0, 4), Status::bad_value, "input scale", input_scale);
  expect(with(good, input_scale, nan_bits, 4), Status::bad_value, "input scale", input_scale);
  expect(with(good, input_scale, infinity_bits, 4), Status::bad_value, "input scale", input_scale);
  expect(with(good, input_zero, 256, 4), Status::bad_value, "input zero", input_zero);
  expect(with(good, input_zero, 255, 4), Status::ok, "", 0);
  expect(with(good, rows + 16, 0, 4), Status::bad_value, "row scale", rows + 16);
  expect(with(good, exponents, 121, 1), Status::bad_value, "column exponents", exponents);
  expect(with(good, padding, 1, 1), Status::bad_padding, "padding", padding);
  constexpr std::uint32_t most = 0x7FFFFFFF - 3 * 32385;
  expect(with(good, bias + 4, most, 4), Status::ok, "", 0);
  expect(with(good, bias + 4, most + 1, 4), Status::bad_value, "bias", bias + 4);
  expect(with(good, bias + 8, 0U - most, 4), Status::ok, "", 0);
  expect(with(good, bias + 8, 0U - most - 1, 4), Status::bad_value, "bias", bias + 8);
  expect(with(good, bias + 8, 0x80000000U, 4), Status::bad_value, "bias", bias + 8);
  expect(with(good, weights + 4, 0x80, 1), Status::bad_value, "weights", weights + 4);
  expect(with(good, weights + 7, 1, 1), Status::bad_padding, "weights", weights + 7);
  test::check_lengths(good);
  test::check_mutations(good);
}

// Weights of 4096 bytes and more start at a multiple of 64.
void check_alignment() {
  for (std::size_t outputs : {31U, 32U}) {
    test::Random random(8);
    test::Network network = test::random_network(random, {125, outputs, 1}, false);
    test::Layer& first = network.layers[0];
    first = test::Layer();
    first.inputs = 125;
    first.outputs = outputs;
    first.kind = 3;
    first.weight_type = 1;
    first.scales = test::row_float;
    first.weights.assign(125 * outputs, 1.0F);
    first.row_scale.assign(outputs, 0.5F);
    first.integer_bias.assign(outputs, 7);
    const Bytes good = test::image_of(network);
    expect(good, Status::ok, "", 0);
    if (outputs < 32) continue;
    const auto ones = std::search_n(good.begin(), good.end(), 125, 1);
    const auto at = static_cast<std::size_t>(ones - good.begin());
    CHECK(at % 64 == 0);
    expect(with(good, at - 1, 1, 1), Status::bad_padding, "padding", at - 1);
  }
}

}  // namespace

int main() {
  check_integers();
  check_alignment();
  return test::report();
}
