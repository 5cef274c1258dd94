// Contenders timed in turns, one JSON line for each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// `run(calls)` works that many times; `before` and `after` surround a batch and are not timed.
struct Contender {
  std::string name;
  std::function<void(std::size_t)> run;
  std::function<void()> before = [] {};
  std::function<void()> after = [] {};
};

inline void report_missing(const std::string& name, const std::string& why) {
  std::printf("{\"contender\": \"%s\", \"missing\": \"%s\"}\n", name.c_str(), why.c_str());
}

// The compiler must take memory as read and written here.
inline void touch_memory() { asm volatile("" : : : "memory"); }

// `value`, which now depends on `on`: no call can start before the one whose result `on` is has ended.
inline float dependent(float value, float on) {
  static const volatile std::uint32_t none = 0;
  std::uint32_t bits, link;
  std::memcpy(&bits, &value, sizeof bits);
  std::memcpy(&link, &on, sizeof link);
  link &= none;
  asm volatile("" : "+r"(link));
  bits |= link;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

// Wall clock, or time of this process alone where RLCOMPRESS_BENCH_CLOCK=processor.
inline double now_us() {
  static const char* const name = std::getenv("RLCOMPRESS_BENCH_CLOCK");
  static const bool processor = name != nullptr && std::strcmp(name, "processor") == 0;
  std::timespec now;
  clock_gettime(processor ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

inline double batch_us(const Contender& contender, std::size_t calls) {
  const double start = now_us();
  contender.run(calls);
  return (now_us() - start) / static_cast<double>(calls);
}

// A call of this length is a batch of its own and needs no warming.
constexpr double long_us = 1000;

// Batches of about `length_us`, `batches` of each contender, in turns.
inline void time_in_turns(const std::vector<Contender>& contenders, int batches, double length_us) {
  std::vector<std::size_t> calls;
  for (const Contender& contender : contenders) {
    contender.before();
    contender.run(3);
    double once = batch_us(contender, 1);
    for (int i = 0; i < 5 && once < 50 * long_us; ++i) once = std::min(once, batch_us(contender, 1));
    if (once < length_us / 20) once = std::min(batch_us(contender, 20), batch_us(contender, 20));
    contender.after();
    calls.push_back(static_cast<std::size_t>(std::max(once > long_us ? 1.0 : 3.0, length_us / once)));
  }
  std::vector<std::vector<double>> means(contenders.size());
  for (int batch = 0; batch < batches; ++batch) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      contenders[i].before();
      if (calls[i] > 1) contenders[i].run(calls[i] / 4 + 2);  // its operands are in the caches again
      means[i].push_back(batch_us(contenders[i], calls[i]));
      contenders[i].after();
    }
  }
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    std::sort(means[i].begin(), means[i].end());
    std::printf("{\"contender\": \"%s\", \"minimum_us\": %.6g, \"median_us\": %.6g, \"batches\": %d}\n",
                contenders[i].name.c_str(), means[i].front(), means[i][means[i].size() / 2], batches);
  }
}

}  // namespace bench
