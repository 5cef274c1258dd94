#include <rlcompress/ranking.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "bindings/weight_arrays.hpp"

namespace rlcompress::bindings {
namespace {

std::size_t count_of(py::ssize_t keep) {
  if (keep < 0) throw py::value_error("keep: a count >= 0 expected, found " + std::to_string(keep));
  return static_cast<std::size_t>(keep);
}

std::tuple<float, std::size_t> bound_magnitude_threshold(const py::list& weights, py::ssize_t keep) {
  const Arrays<const float> arrays(weights, "weights", "float32");
  const std::size_t count = count_of(keep);
  MagnitudeThreshold found;
  run([&] { return magnitude_threshold(arrays.view(), count, found); });
  return {found.magnitude, found.ties};
}

struct Extent {
  std::uintptr_t begin;
  std::uintptr_t end;
  bool written;
};

// A mask that shares memory with anything else would be garbage.
template <class T>
void add_extents(View<const View<T>> views, std::vector<Extent>& extents) {
  for (const View<T>& view : views) {
    const auto begin = reinterpret_cast<std::uintptr_t>(view.data());
    if (view.size() > 0) extents.push_back({begin, begin + view.size() * sizeof(T), !std::is_const_v<T>});
  }
}

void refuse_overlap(std::vector<Extent>& extents) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  std::uintptr_t read = 0;
  std::uintptr_t written = 0;
  for (const Extent& extent : extents) {
    if (extent.begin < written || (extent.written && extent.begin < read)) {
      throw py::value_error(
          "masks: memory of their own expected, found one that overlaps a weight array or another mask");
    }
    (extent.written ? written : read) = std::max(extent.written ? written : read, extent.end);
  }
}

template <class T, class Mask>
void refuse_overlap(View<const View<T>> weights, View<const View<Mask>> masks) {
  std::vector<Extent> extents;
  extents.reserve(weights.size() + masks.size());
  add_extents(weights, extents);
  add_extents(masks, extents);
  refuse_overlap(extents);
}

template <class Mask>
void keep_into(const py::list& weights, py::ssize_t keep, const py::list& masks, const char* type) {
  const Arrays<const float> arrays(weights, "weights", "float32");
  const Arrays<Mask> outputs(masks, "masks", type);
  refuse_overlap(arrays.view(), outputs.view());
  const std::size_t count = count_of(keep);
  std::size_t total = 0;
  for (const View<const float>& w : arrays.views) total += w.size();
  const std::size_t size = ranking_scratch(total);
  const std::unique_ptr<std::uint64_t[]> scratch(size > 0 ? new std::uint64_t[size] : nullptr);
  run([&] { return keep_largest(arrays.view(), count, outputs.view(), View<std::uint64_t>(scratch.get(), size)); });
}

void bound_keep_largest(const py::list& weights, py::ssize_t keep, const py::list& masks) {
  keep_into<bool>(weights, keep, masks, "bool");
}

void bound_keep_largest_bits(const py::list& weights, py::ssize_t keep, const py::list& masks) {
  keep_into<std::uint8_t>(weights, keep, masks, "uint8");
}

template <class Mask>
void keep_from(const py::object& weight, float threshold, const py::object& mask, const char* type) {
  const View<const float> w = elements<const float>(weight, [] { return std::string("weight"); }, "float32");
  const View<Mask> m = elements<Mask>(mask, [] { return std::string("mask"); }, type);
  refuse_overlap(View<const View<const float>>(&w, 1), View<const View<Mask>>(&m, 1));
  run([&] { return keep_at_least(w, threshold, m); });
}

void bound_keep_at_least(const py::object& weight, float threshold, const py::object& mask) {
  keep_from<bool>(weight, threshold, mask, "bool");
}

void bound_keep_at_least_bits(const py::object& weight, float threshold, const py::object& mask) {
  keep_from<std::uint8_t>(weight, threshold, mask, "uint8");
}

}  // namespace

void bind_ranking(py::module_& module) {
  module.def("magnitude_threshold", &bound_magnitude_threshold, py::arg("weights"), py::arg("keep"),
             "The keep-th largest |w| over a list of arrays, and how many weights of exactly that magnitude are kept.");
  module.def("keep_largest", &bound_keep_largest, py::arg("weights"), py::arg("keep"), py::arg("masks"),
             "Write True for the keep largest |w| over a list of arrays; ties keep the lower index.");
  module.def("keep_largest_bits", &bound_keep_largest_bits, py::arg("weights"), py::arg("keep"), py::arg("masks"),
             "The same into uint8 arrays of ceil(n / 8) bytes: bit i % 8 of byte i / 8.");
  module.def("keep_at_least", &bound_keep_at_least, py::arg("weight"), py::arg("threshold"), py::arg("mask"),
             "Write |w| >= threshold.");
  module.def("keep_at_least_bits", &bound_keep_at_least_bits, py::arg("weight"), py::arg("threshold"), py::arg("mask"),
             "The same into a uint8 array of ceil(n / 8) bytes: bit i % 8 of byte i / 8.");
}

}  // namespace rlcompress::bindings
