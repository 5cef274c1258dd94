// Random networks of every layer kind, weight type and head: each target gives the bits of the written-down arithmetic,
// alone and in a batch, whatever the caller's control word. Prints a hash to compare processors by.
#include <rlcompress/rlcompress.hpp>

#include <cfenv>
#include <cmath>

#include "check.hpp"
#include "network.hpp"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace {

using test::Floats;

std::uint64_t hash = 0xCBF29CE484222325U;

void add_to_hash(float value) {
  for (int i = 0; i < 4; ++i) hash = (hash ^ ((test::bits_of(value) >> (8 * i)) & 255U)) * 0x100000001B3U;
}

Floats random_observation(test::Random& random, std::size_t n, bool wild) {
  Floats x = test::random_floats(random, n, wild);
  if (wild && random() % 4 == 0) {
    const std::size_t at = random() % n;
    x[at] = random() % 2 == 0 ? INFINITY : NAN;
  }
  return x;
}

void disturb_control_word(bool on) {
  static std::fenv_t before;
  if (!on) {
    std::fesetenv(&before);
    return;
  }
  std::fegetenv(&before);
  std::fesetround(FE_UPWARD);
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() | 0x8040U);  // flush to zero, denormals are zero
#elif defined(__aarch64__)
  std::uint64_t word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  __asm__ volatile("msr fpcr, %0" : : "r"(word | (std::uint64_t{1} << 24)));  // flush to zero
#endif
}

void check_network(test::Random& random, const std::vector<std::size_t>& widths, bool wild) {
  test::Network network = test::random_network(random, widths, wild);
  if (random() % 3 == 0) test::widen_observation(random, network, wild);
  const test::Bytes image = test::image_of(network);
  rlcompress::Fault fault;
  const auto model = rlcompress::Model::from_bytes(image, &fault);
  CHECK_THAT(model, "%s: %s at %zu: %s, found %s", rlcompress::name(fault.status), fault.field, fault.offset,
             fault.expected, fault.found);
  if (!model) return;

  const std::size_t n = 1 + random() % 29;
  Floats observations;
  Floats expected;
  for (std::size_t i = 0; i < n; ++i) {
    const Floats x = random_observation(random, network.inputs(), wild);
    const Floats y = test::reference_run(network, x);
    observations.insert(observations.end(), x.begin(), x.end());
    expected.insert(expected.end(), y.begin(), y.end());
  }
  for (float value : expected) add_to_hash(value);
  const std::size_t needed = model->batch_workspace_bytes(1 + random() % 40);
  CHECK(needed >= model->workspace_bytes());
  test::Bytes memory(needed + 64, 0xA5);
  const rlcompress::View<std::uint8_t> workspace(memory.data(), needed);
  for (std::size_t t = 0; t < rlcompress::target_count(); ++t) {
    if (!rlcompress::target_available(t)) continue;
    CHECK(rlcompress::force_target(rlcompress::target_name(t)) == rlcompress::Status::ok);
    Floats actions(expected.size(), -7.0F);
    disturb_control_word(true);
    const rlcompress::Status status = model->run_batch(n, observations, actions, workspace);
    const bool restored = std::fegetround() == FE_UPWARD;
    disturb_control_word(false);
    CHECK(status == rlcompress::Status::ok && restored);
    for (std::size_t i = needed; i < memory.size(); ++i) CHECK(memory[i] == 0xA5);
    for (std::size_t i = 0; i < actions.size(); ++i) {
      CHECK_THAT(test::bits_of(actions[i]) == test::bits_of(expected[i]), "%s, widths %zu..%zu, value %zu: %a, not %a",
                 rlcompress::target_name(t), network.inputs(), network.outputs(), i, static_cast<double>(actions[i]),
                 static_cast<double>(expected[i]));
    }
    Floats one(network.actions());
    const rlcompress::View<const float> last(observations.data() + (n - 1) * network.inputs(), network.inputs());
    CHECK(model->run(last, one, workspace) == rlcompress::Status::ok);
    CHECK(std::memcmp(one.data(), actions.data() + (n - 1) * network.actions(), 4 * one.size()) == 0);
    std::size_t matched = 0;
    CHECK(model->self_test(workspace, &matched) == rlcompress::Status::ok && matched == 3);
  }
}

}  // namespace

int main() {
  test::Random random(20240607);
  const std::vector<std::vector<std::size_t>> shapes = {
      {4, 24, 24, 2},   {8, 64, 64, 4},         {1, 1},         {3, 5, 7},
      {17, 37, 19, 5},  {33, 130, 7, 18},       {64, 32},       {65, 33, 16, 17},
      {100, 31, 31},    {12, 127, 128, 129, 3}, {300, 15, 260}, {130, 200, 6},
      {20, 300, 40, 2}, {70, 513, 18},          {270, 256, 3},  {391, 128}};
  for (int round = 0; round < 12; ++round) {
    for (const auto& widths : shapes) check_network(random, widths, round % 2 == 1);
  }
  for (int i = 0; i < 250; ++i) {
    std::vector<std::size_t> widths;
    for (std::size_t depth = 2 + random() % 3; depth > 0; --depth) widths.push_back(1 + random() % 90);
    check_network(random, widths, i % 2 == 1);
  }
  check_network(random, {70000, 3}, false);
  std::printf("hash %016llx\n", static_cast<unsigned long long>(hash));
  return test::report();
}
