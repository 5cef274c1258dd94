// Reading an image and running it allocate nothing.
#include <rlcompress/rlcompress.hpp>

#include "allocations.hpp"
#include "check.hpp"
#include "network.hpp"

int main() {
  test::Random random(11);
  for (int i = 0; i < 40; ++i) {
    test::Network network = test::random_network(random, {70, 130, 33, 6}, false);
    if (i % 2 == 1) test::widen_observation(random, network, false);
    const test::Bytes image = test::image_of(network);
    test::Bytes workspace(1 << 16);
    test::Floats x(network.inputs(), 0.25F);
    test::Floats y(network.actions());
    const std::size_t before = test::allocations();
    const auto model = rlcompress::Model::from_bytes(image);
    const auto status = model->run(x, y, workspace);
    const auto tested = model->self_test(workspace);
    CHECK_THAT(test::allocations() == before, "%zu allocations", test::allocations() - before);
    CHECK(status == rlcompress::Status::ok && tested == rlcompress::Status::ok);
  }
  CHECK(test::allocations() > 0);  // the counter counts
  return test::report();
}
