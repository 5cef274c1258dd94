// Times taken inside the process, without Python between clock and call.
#include <rlcompress/model.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/workspace.hpp"

namespace rlcompress::bindings {
namespace {

using Clock = std::chrono::steady_clock;
using Observations = py::array_t<float, py::array::c_style>;
using Times = py::array_t<double, py::array::c_style>;

double nanoseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::nano>(to - from).count();
}

// Fills `times` with the nanoseconds of single calls; their observations are the rows, over and over.
void call_times(py::handle model, const Observations& observations, Times& times) {
  const Model& chosen = model_of(model);
  const std::size_t inputs = chosen.input_size();
  if (observations.ndim() != 2 || observations.shape(0) < 1 ||
      static_cast<std::size_t>(observations.shape(1)) != inputs) {
    throw py::value_error("observations: float32 of shape (n, " + std::to_string(inputs) + ") expected");
  }
  const auto rows = static_cast<std::size_t>(observations.shape(0));
  const float* x = observations.data();
  double* found = times.mutable_data();
  const auto count = static_cast<std::size_t>(times.size());
  std::vector<float> action(chosen.action_size());
  const py::gil_scoped_release release;
  const Status status = with_workspace(chosen.workspace_bytes(), [&](View<std::uint8_t> workspace) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto from = Clock::now();
      const Status one = chosen.run({x + i % rows * inputs, inputs}, action, workspace);
      found[i] = nanoseconds(from, Clock::now());
      if (one != Status::ok) return one;
    }
    return Status::ok;
  });
  if (status == Status::ok) return;
  const py::gil_scoped_acquire acquire;
  throw py::value_error(message(status));
}

// The shortest of `batches` means of reading `bytes` bytes that were read just before: memchr is the fastest reader
// that every C library has.
double read_ns(std::size_t bytes, int batches) {
  std::vector<char> block(std::max<std::size_t>(bytes, 1), 'a');
  const std::size_t reads = std::max<std::size_t>(1, (std::size_t{1} << 18) / block.size());
  double best = 0.0;
  const py::gil_scoped_release release;
  for (int batch = 0; batch < batches; ++batch) {
    const void* found = nullptr;
    const auto from = Clock::now();
    for (std::size_t i = 0; i < reads; ++i) {
      const char* start = block.data();
      __asm__ volatile("" : "+r"(start) : : "memory");
      found = std::memchr(start, 'b', block.size());
      __asm__ volatile("" : "+r"(found));
    }
    const double mean = nanoseconds(from, Clock::now()) / static_cast<double>(reads);
    if (batch == 0 || mean < best) best = mean;
  }
  return best;
}

// The median time between two looks at the clock.
double clock_ns() {
  std::vector<double> times(1001);
  for (double& time : times) {
    const auto from = Clock::now();
    time = nanoseconds(from, Clock::now());
  }
  std::nth_element(times.begin(), times.begin() + 500, times.end());
  return times[500];
}

}  // namespace

void bind_timing(py::module_& module) {
  module.def("call_times", &call_times, py::arg("model"), py::arg("observations").noconvert(),
             py::arg("times").noconvert(), "Fill `times` (float64) with the nanoseconds of single runs.");
  module.def("read_ns", &read_ns, py::arg("bytes"), py::arg("batches"),
             "Nanoseconds of reading so many bytes from the nearest memory that holds them.");
  module.def("clock_ns", &clock_ns, "What a look at the clock adds to a time, in nanoseconds.");
}

}  // namespace rlcompress::bindings
