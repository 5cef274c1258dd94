#include "malformed.hpp"

#include <cstdlib>
#include <memory>
#include <string>

#include "check.hpp"

namespace test {

using rlcompress::Fault;
using rlcompress::Model;
using rlcompress::Status;

namespace {

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

}  // namespace

Fault fault_of(const Bytes& image) {
  const auto copy = exact_copy(image);
  Fault fault;
  const auto model = Model::from_bytes({copy.get(), image.size()}, &fault);
  CHECK(static_cast<bool>(model) == (fault.status == Status::ok) && model.status() == fault.status);
  if (model) {
    Bytes workspace(model->workspace_bytes());
    Floats x(model->input_size(), 0.5F);
    Floats y(model->action_size());
    CHECK(model->run(x, y, workspace) == Status::ok);
    const Status status = model->self_test(workspace);
    CHECK(status == Status::ok || status == Status::golden_mismatch);
  }
  return fault;
}

void expect(Bytes image, Status status, const char* field, std::size_t offset, bool checksum) {
  if (checksum) put_checksum(image);
  const Fault fault = fault_of(image);
  CHECK_THAT(fault.status == status && std::string(fault.field) == field && fault.offset == offset,
             "wanted %s %s at %zu, got %s %s at %zu (expected %s, found %s)", rlcompress::name(status), field, offset,
             rlcompress::name(fault.status), fault.field, fault.offset, fault.expected, fault.found);
}

Bytes with(Bytes image, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) image[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  return image;
}

Network sample() {
  Random random(7);
  Network network = random_network(random, {3, 5, 2}, false);
  network.range = network.normalise = true;
  network.head = 2;
  network.high = {2.0F, 2.0F};
  Layer& first = network.layers[0];
  first.kind = 1;
  first.activation = 7;
  first.alpha = 0.25F;
  first.weight_type = 2;
  first.scales = row_many | columns | bias_float;
  first.row_exponents.assign(5, -3);
  first.column_exponents.assign(3, 2);
  first.weights.assign(15, 3.0F);
  Layer& second = network.layers[1];
  second.kind = 2;
  second.activation = 4;
  second.alpha = 1.0F;
  second.weight_type = 0;
  second.scales = bias_float;
  second.weights.assign(10, 0.5F);
  second.kept = {true, false, true, true, false, false, true, false, false, true};
  return network;
}

void check_lengths(const Bytes& good) {
  for (std::size_t n = 0; n < good.size(); ++n) {
    Bytes image(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
    CHECK_THAT(fault_of(image).status != Status::ok, "%zu bytes", n);
    if (n < 16) continue;
    image = with(image, 8, n, 4);
    put_checksum(image);
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
      put_checksum(image);
      fault_of(image);
    }
  }
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    Bytes image = good;
    for (int changes = 0; changes < 4; ++changes) {
      const std::size_t at = 16 + random() % (image.size() - 20);
      const auto value = random();
      const auto shift = random() % 32;
      image = with(image, at, value >> shift, 1 + random() % 4);
    }
    put_checksum(image);
    fault_of(image);
  }
}

}  // namespace test
