#include <rlcompress/weight_statistics.hpp>

#include <string>
#include <tuple>

#include "bindings/weight_arrays.hpp"

namespace rlcompress::bindings {
namespace {

template <class T>
View<T> named(const py::object& object, const char* name, const char* type) {
  return elements<T>(object, [&] { return std::string(name); }, type);
}

std::tuple<double, double, float> bound_weight_statistics(const py::object& weight) {
  const View<const float> w = named<const float>(weight, "weight", "float32");
  WeightStatistics found;
  run([&] { return weight_statistics(w, found); });
  return {found.mean, found.deviation, found.largest};
}

void bound_counts_at_least(const py::object& weight, const py::object& thresholds, const py::object& counts) {
  const View<const float> w = named<const float>(weight, "weight", "float32");
  const View<const float> t = named<const float>(thresholds, "thresholds", "float32");
  const View<std::int64_t> c = named<std::int64_t>(counts, "counts", "int64");
  run([&] { return counts_at_least(w, t, c); });
}

}  // namespace

void bind_weight_statistics(py::module_& module) {
  module.def("weight_statistics", &bound_weight_statistics, py::arg("weight"),
             "Mean, population standard deviation and largest magnitude.");
  module.def("counts_at_least", &bound_counts_at_least, py::arg("weight"), py::arg("thresholds"), py::arg("counts"),
             "Write how many |w| >= each threshold.");
}

}  // namespace rlcompress::bindings
