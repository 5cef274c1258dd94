// Runs a policy on one observation: app policy.rlc 0.01 -0.02 0.03 0.04
// Prints the values of the action, each with its bits: they are the same on every processor.
#include <rlcompress/model.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "image.hpp"

alignas(4) static std::uint8_t workspace[16384];  // at least model->workspace_bytes(); one per thread

int main(int count, char** arguments) {
  if (count < 2) return usage("app policy.rlc OBSERVATION... (numbers, as many as the policy takes)");
  std::vector<std::uint8_t> image;
  if (!read(arguments[1], image)) return unreadable(arguments[1]);
  std::vector<float> observation, action;
  for (int i = 2; i < count; ++i) observation.push_back(std::strtof(arguments[i], nullptr));

  auto model = rlcompress::Model::from_bytes(image);  // in place: no copy, no allocation, no exceptions
  if (!model) return report(model.status());          // damaged, another version, ...
  action.resize(model->action_size());

  auto status = model->self_test(workspace);  // the answers stored in the file, to the bit
  if (status != rlcompress::Status::ok) return report(status);
  status = model->run(observation, action, workspace);  // noexcept, const, no allocation
  if (status != rlcompress::Status::ok) return report(status);

  for (const float value : action) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    std::printf("%08x %.9g\n", static_cast<unsigned>(bits), static_cast<double>(value));
  }
  return 0;
}
