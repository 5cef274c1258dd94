// Prints for each network of a file what every observation takes, in ticks of the board's timer for `repeats` calls.
#include "cases.hpp"

#ifndef RLCOMPRESS_BARE
#error "only on a board: elsewhere other programs and interrupts are timed too"
#endif
extern "C" {
#include "startup.h"
}

namespace {

constexpr int repeats = 40;  // a tick is so many instructions

bool print_times(const test::Case& c) {
  auto model = c.model();
  if (!model) return false;
  std::vector<std::uint64_t> workspace(model->workspace_bytes() / 8 + 16);
  std::vector<float> action(c.outputs);
  for (std::size_t at = 0; at < c.rows.size(); at += c.inputs) {
    start_ticks();
    for (int i = 0; i < repeats; ++i) {
      const auto status = model->run({c.rows.data() + at, c.inputs}, {action.data(), action.size()},
                                     {reinterpret_cast<std::uint8_t*>(workspace.data()), 8 * workspace.size()});
      if (status != rlcompress::Status::ok) return false;
    }
    std::printf("%u ", static_cast<unsigned>(ticks()));
  }
  std::printf("\n");
  return true;
}

}  // namespace

int hosted_main(int argc, char** argv) {
  std::FILE* file = argc >= 2 ? std::fopen(argv[1], "rb") : nullptr;
  if (file == nullptr) return 2;
  for (test::Case c; test::read_case(c, file); c = test::Case{}) {
    if (!print_times(c)) return 1;
  }
  return 0;
}
