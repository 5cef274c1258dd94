// Prints for each network of a file what calls take, each on an observation of its own, in ticks of the board's timer:
// fewest, median and most. Arguments: the file, how many observations, and how many calls a time stands for.
#include "cases.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#ifndef RLCOMPRESS_BARE
#error "only on a board: elsewhere other programs and interrupts are timed too"
#endif
extern "C" {
#include "startup.h"
}

namespace {

struct Random {
  std::uint32_t state = 2463534242U;

  std::uint32_t bits() {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
  }

  // In -4 ... 4; one value in 64 is any pattern of bits, so NaN, infinite and subnormal ones too.
  float value() {
    const std::uint32_t drawn = bits();
    if (drawn % 64 != 0) return static_cast<float>(static_cast<std::int32_t>(drawn)) * (4.0F / 2147483648.0F);
    const std::uint32_t pattern = bits() & (drawn & 64 ? 0x807FFFFFU : 0xFFFFFFFFU);
    float any;
    std::memcpy(&any, &pattern, sizeof(any));
    return any;
  }
};

// How often each number of ticks was seen.
class Times {
 public:
  void add(std::uint32_t ticks) {
    if (ticks >= seen_.size()) seen_.resize(ticks + 1);
    ++seen_[ticks];
  }

  std::uint32_t at(std::uint32_t rank) const {
    std::uint32_t ticks = 0;
    for (std::uint32_t before = 0; (before += seen_[ticks]) <= rank;) ++ticks;
    return ticks;
  }

 private:
  std::vector<std::uint32_t> seen_;
};

bool print_times(const test::Case& c, std::uint32_t observations, std::uint32_t calls) {
  auto model = c.model();
  if (!model) return false;
  std::vector<std::uint64_t> workspace(model->workspace_bytes() / 8 + 16);
  std::vector<float> row(c.inputs), action(c.outputs);
  Random random;
  Times times;
  for (std::uint32_t i = 0; i < observations; ++i) {
    std::generate(row.begin(), row.end(), [&random] { return random.value(); });
    start_ticks();
    for (std::uint32_t call = 0; call < calls; ++call) {
      const auto status = model->run({row.data(), row.size()}, {action.data(), action.size()},
                                     {reinterpret_cast<std::uint8_t*>(workspace.data()), 8 * workspace.size()});
      if (status != rlcompress::Status::ok) return false;
    }
    times.add(ticks());
  }
  std::printf("%u %u %u\n", static_cast<unsigned>(times.at(0)), static_cast<unsigned>(times.at(observations / 2)),
              static_cast<unsigned>(times.at(observations - 1)));
  return true;
}

}  // namespace

int hosted_main(int argc, char** argv) {
  std::FILE* file = argc == 3 + 1 ? std::fopen(argv[1], "rb") : nullptr;
  if (file == nullptr) return 2;
  const auto observations = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
  const auto calls = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
  for (test::Case c; test::read_case(c, file); c = test::Case{}) {
    if (!print_times(c, observations, calls)) return 1;
  }
  return 0;
}
