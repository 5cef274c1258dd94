// Times each of many calls of Model::run, and in turns with them a loop of plain arithmetic that lasts as long and
// touches no memory: what the machine does to that loop (other programs, interrupts, the hypervisor) it does to the
// calls as well. Every call has an observation of its own, and the whole series is made REPEATS times: what an
// observation costs each time is the library's, what it costs once is the machine's.
// Prints one line of JSON, in nanoseconds: bench_call_times policy.rlc CALLS
#include <rlcompress/model.hpp>
#include <rlcompress/target.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Times = std::vector<std::uint32_t>;

constexpr int REPEATS = 4;

std::uint32_t nanoseconds(Clock::time_point from, Clock::time_point to) {
  const auto count = std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
  return static_cast<std::uint32_t>(std::min<long long>(count, UINT32_MAX));
}

std::vector<std::uint8_t> read(const char* path) {
  std::vector<std::uint8_t> bytes;
  if (std::FILE* file = std::fopen(path, "rb")) {
    for (int byte = std::fgetc(file); byte != EOF; byte = std::fgetc(file)) {
      bytes.push_back(static_cast<std::uint8_t>(byte));
    }
    std::fclose(file);
  }
  return bytes;
}

// Multiplications that wait for each other.
std::uint64_t spin(std::uint64_t x, std::uint64_t rounds) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    x *= 0x9E3779B97F4A7C15U;
    __asm__ volatile("" : "+r"(x));
  }
  return x;
}

std::uint32_t median(Times times) {
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

// Observation number `index`: values of [-2, 2), the same at every call (splitmix64).
void draw(std::uint64_t index, std::vector<float>& observation) {
  std::uint64_t state = index << 20U;
  for (float& value : observation) {
    std::uint64_t bits = (state += 0x9E3779B97F4A7C15U);
    bits = (bits ^ (bits >> 30U)) * 0xBF58476D1CE4E5B9U;
    bits = (bits ^ (bits >> 27U)) * 0x94D049BB133111EBU;
    value = static_cast<float>(static_cast<std::int64_t>(bits >> 40U)) * 0x1p-22F - 2.0F;
  }
}

// Rounds of spin() that last about `goal` nanoseconds.
std::uint64_t rounds_of(std::uint32_t goal) {
  std::uint64_t rounds = 1;
  for (int i = 0; i < 40; ++i) {
    Times times(101);
    for (std::uint32_t& time : times) {
      const auto from = Clock::now();
      spin(rounds, rounds);
      time = nanoseconds(from, Clock::now());
    }
    const std::uint32_t now = median(times);
    if (now >= goal) break;
    rounds += std::max<std::uint64_t>(1, rounds * (goal - now) / (2 * std::max<std::uint32_t>(goal, 1)));
  }
  return rounds;
}

void print(const char* name, Times& times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  const std::uint64_t bound = 3ULL * at(0.5);
  const auto slow = times.end() - std::upper_bound(times.begin(), times.end(), bound);
  std::printf(
      "\"%s\": {\"min\": %u, \"p50\": %u, \"p99\": %u, \"p99.9\": %u, \"p99.99\": %u, \"p99.999\": %u, \"max\": %u, ",
      name, times.front(), at(0.5), at(0.99), at(0.999), at(0.9999), at(0.99999), times.back());
  std::printf("\"above_3x\": %lld}, ", static_cast<long long>(slow));
}

long involuntary_switches() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

// Hundredths of a second, of all processors, that the hypervisor gave to others; -1 where nobody counts them.
long long stolen() {
  long long fields[8] = {0, 0, 0, 0, 0, 0, 0, -1};
  if (std::FILE* file = std::fopen("/proc/stat", "r")) {
    if (std::fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &fields[0], &fields[1], &fields[2], &fields[3],
                    &fields[4], &fields[5], &fields[6], &fields[7]) != 8) {
      fields[7] = -1;
    }
    std::fclose(file);
  }
  return fields[7];
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const std::vector<std::uint8_t> image = read(arguments[1]);
  const auto calls = static_cast<std::size_t>(std::strtoull(arguments[2], nullptr, 10));
  const auto model = rlcompress::Model::from_bytes(image);
  if (!model || calls < 1000) {
    std::fprintf(stderr, "error: %s\n", rlcompress::message(model.status()));
    return 1;
  }
  std::vector<std::uint8_t> workspace(model->workspace_bytes());
  std::vector<float> action(model->action_size()), observation(model->input_size());
  const auto call = [&](std::uint64_t index) {
    draw(index, observation);
    // Near zero, but not known to be: no call can start before the last one ended.
    observation[0] += 1e-20F * action[0];
    const auto from = Clock::now();
    const auto status = model->run(observation, action, workspace);
    const auto to = Clock::now();
    if (status != rlcompress::Status::ok) std::exit(1);
    return nanoseconds(from, to);
  };
  const std::uint32_t first = call(0);
  Times times(calls, 1), control(calls, 1), clock(100001);
  for (std::size_t i = 0; i < 20000; ++i) times[i % calls] = call(i);
  const std::uint64_t rounds = rounds_of(median(Times(times.begin(), times.begin() + 1000)));
  for (std::uint32_t& time : clock) {
    const auto from = Clock::now();
    time = nanoseconds(from, Clock::now());
  }
  const long switches = involuntary_switches();
  const long long steal = stolen();
  for (std::size_t i = 0; i < calls; ++i) {
    times[i] = call(i);
    const auto from = Clock::now();
    spin(i, rounds);
    control[i] = nanoseconds(from, Clock::now());
  }
  const long switched = involuntary_switches() - switches;
  const double stole = steal < 0 ? -1.0 : static_cast<double>(stolen() - steal) / 100.0;
  Times least = times;
  for (int repeat = 1; repeat < REPEATS; ++repeat) {
    for (std::size_t i = 0; i < calls; ++i) least[i] = std::min(least[i], call(i));
  }
  std::printf("{\"target\": \"%s\", \"calls\": %zu, \"repeats\": %d, \"first\": %u, ", rlcompress::active_target(),
              calls, REPEATS, first);
  print("call", times);
  print("control", control);
  print("least", least);
  print("clock", clock);
  std::printf("\"involuntary_switches\": %ld, \"stolen_s\": %.2f}\n", switched, stole);
  return 0;
}
