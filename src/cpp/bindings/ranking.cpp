#include <rlcompress/ranking.hpp>

#include <string>
#include <tuple>
#include <vector>

#include "bindings/bindings.hpp"

namespace rlcompress::bindings {
namespace {

// The memory of a C-contiguous array of exactly this type; anything else is refused rather than converted.
template <class T>
View<T> elements(const py::handle& object, const std::string& name, const char* type) {
  using Element = std::remove_const_t<T>;
  const std::string wanted = name + ": a C-contiguous " + type + " array expected, ";
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error(wanted + py::type::of(object).attr("__name__").cast<std::string>() + " found");
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!array.dtype().equal(py::dtype::of<Element>())) {
    throw py::type_error(wanted + py::str(array.dtype()).cast<std::string>() + " found");
  }
  constexpr int flags = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array.flags() & flags) != flags) throw py::value_error(wanted + "another memory layout found");
  if (!std::is_const_v<T> && !array.writeable()) throw py::value_error(name + ": a writable array expected");
  return {static_cast<T*>(const_cast<void*>(array.data())), static_cast<std::size_t>(array.size())};
}

// Keeps the arrays alive while the GIL is released.
template <class T>
struct Arrays {
  std::vector<py::object> owners;
  std::vector<View<T>> views;

  Arrays(const py::list& list, const std::string& name, const char* type) {
    for (const py::handle item : list) {
      owners.push_back(py::reinterpret_borrow<py::object>(item));
      views.push_back(elements<T>(item, name + "[" + std::to_string(views.size()) + "]", type));
    }
  }
  View<const View<T>> view() const { return {views.data(), views.size()}; }
};

std::size_t count_of(py::ssize_t keep) {
  if (keep < 0) throw py::value_error("keep: a count >= 0 expected, found " + std::to_string(keep));
  return static_cast<std::size_t>(keep);
}

template <class Body>
void run(const Body& body) {
  require_target();
  Status status;
  {
    const py::gil_scoped_release release;
    status = body();
  }
  if (status != Status::ok) throw py::value_error(message(status));
}

std::tuple<float, std::size_t> bound_magnitude_threshold(const py::list& weights, py::ssize_t keep) {
  const Arrays<const float> arrays(weights, "weights", "float32");
  const std::size_t count = count_of(keep);
  MagnitudeThreshold found;
  run([&] { return magnitude_threshold(arrays.view(), count, found); });
  return {found.magnitude, found.ties};
}

void bound_keep_largest(const py::list& weights, py::ssize_t keep, const py::list& masks) {
  const Arrays<const float> arrays(weights, "weights", "float32");
  const Arrays<bool> outputs(masks, "masks", "bool");
  const std::size_t count = count_of(keep);
  run([&] { return keep_largest(arrays.view(), count, outputs.view()); });
}

void bound_keep_at_least(const py::object& weight, float threshold, const py::object& mask) {
  const View<const float> w = elements<const float>(weight, "weight", "float32");
  const View<bool> m = elements<bool>(mask, "mask", "bool");
  run([&] { return keep_at_least(w, threshold, m); });
}

}  // namespace

void bind_ranking(py::module_& module) {
  module.def("magnitude_threshold", &bound_magnitude_threshold, py::arg("weights"), py::arg("keep"),
             "The keep-th largest |w| over a list of arrays, and how many weights of exactly that magnitude are kept.");
  module.def("keep_largest", &bound_keep_largest, py::arg("weights"), py::arg("keep"), py::arg("masks"),
             "Write True for the keep largest |w| over a list of arrays; ties keep the lower index.");
  module.def("keep_at_least", &bound_keep_at_least, py::arg("weight"), py::arg("threshold"), py::arg("mask"),
             "Write |w| >= threshold.");
}

}  // namespace rlcompress::bindings
