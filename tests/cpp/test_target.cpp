// Choosing a target by name and by environment, and from many threads at once (meant for the thread sanitizer too).
// Run with the argument "bogus" or "scalar" under RLCOMPRESS_TARGET of that value, to see the environment's choice.
#include <rlcompress/rlcompress.hpp>

#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "network.hpp"

namespace {

using rlcompress::Status;

struct Case {
  test::Bytes image;
  test::Floats x, y;
};

Case make_case() {
  test::Random random(5);
  const test::Network network = test::random_network(random, {20, 40, 7}, false);
  const test::Floats x = test::random_floats(random, 20, false);
  return {test::image_of(network), x, test::reference_run(network, x)};
}

void check_environment(const std::string& wanted, const Case& c) {
  const auto model = rlcompress::Model::from_bytes(c.image);
  test::Bytes workspace(model->workspace_bytes());
  test::Floats y(c.y.size());
  Status status = Status::ok;
  const char* active = rlcompress::active_target(&status);
  if (wanted == "bogus") {
    CHECK(active == nullptr && status == Status::unknown_target);
    CHECK(model->run(c.x, y, workspace) == Status::unknown_target);
    CHECK(rlcompress::force_target("scalar") == Status::ok);
  } else {
    CHECK(active != nullptr && wanted == active);
  }
  CHECK(model->run(c.x, y, workspace) == Status::ok);
}

void check_threads(const Case& c) {
  const auto model = rlcompress::Model::from_bytes(c.image);
  std::vector<std::thread> threads;
  std::vector<int> wrong(8, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      test::Bytes workspace(model->workspace_bytes());
      test::Floats y(c.y.size());
      for (std::size_t i = 0; i < 300; ++i) {
        const std::size_t target = (t + i) % rlcompress::target_count();
        if (rlcompress::target_available(target)) (void)rlcompress::force_target(rlcompress::target_name(target));
        const Status status = model->run(c.x, y, workspace);
        if (status != Status::ok || std::memcmp(y.data(), c.y.data(), 4 * y.size()) != 0) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int count : wrong) CHECK_THAT(count == 0, "%d wrong results", count);
}

}  // namespace

int main(int count, char** arguments) {
  const Case c = make_case();
  if (count > 1) {
    check_environment(arguments[1], c);
    return test::report();
  }
  const char* first = rlcompress::active_target();
  CHECK(first != nullptr);
  CHECK(rlcompress::force_target("bogus") == Status::unknown_target);
  CHECK(std::string(rlcompress::active_target()) == first);
  const std::size_t last = rlcompress::target_count() - 1;
  CHECK(std::string(rlcompress::target_name(last)) == "scalar" && rlcompress::target_available(last));
  for (std::size_t i = 0; i <= last; ++i) {
    const char* name = rlcompress::target_name(i);
    const bool available = rlcompress::target_available(i);
    CHECK(rlcompress::force_target(name) == (available ? Status::ok : Status::unavailable_target));
    if (available) CHECK(std::string(rlcompress::active_target()) == name);
  }
  check_threads(c);
  return test::report();
}
