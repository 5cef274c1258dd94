// An exported header behind a plain function.
#include <network.hpp>

#include <cstring>

extern "C" __attribute__((visibility("default"))) void run_exported(const float* x, float* y) {
  // Not a copy: a vector load of values that were stored one by one waits for all of them.
  const auto& observation = *reinterpret_cast<const std::array<float, network::input_size>*>(x);
  const auto action = network::run(observation);
  std::memcpy(y, action.data(), sizeof action);
}
