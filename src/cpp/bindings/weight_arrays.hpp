// NumPy arrays as views of the core, without copying.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <string>
#include <type_traits>
#include <vector>

#include "bindings/bindings.hpp"

namespace rlcompress::bindings {

[[noreturn]] inline void refuse(const std::string& name, const char* type, const std::string& found, bool is_type) {
  const std::string text = name + ": a C-contiguous " + type + " array expected, " + found + " found";
  if (is_type) throw py::type_error(text);
  throw py::value_error(text);
}

// The memory of a C-contiguous array of exactly this type; anything else is refused rather than converted.
template <class T, class Name>
View<T> elements(const py::handle& object, const Name& name, const char* type) {
  using Element = std::remove_const_t<T>;
  if (!py::isinstance<py::array>(object)) {
    refuse(name(), type, py::type::of(object).attr("__name__").cast<std::string>(), true);
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!py::isinstance<py::array_t<Element, 0>>(object)) {
    refuse(name(), type, py::str(array.dtype()).cast<std::string>(), true);
  }
  constexpr int flags = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array.flags() & flags) != flags) refuse(name(), type, "another memory layout", false);
  if (!std::is_const_v<T> && !array.writeable()) throw py::value_error(name() + ": a writable array expected");
  return {static_cast<T*>(const_cast<void*>(array.data())), static_cast<std::size_t>(array.size())};
}

// Keeps the arrays alive while the GIL is released.
template <class T>
struct Arrays {
  std::vector<py::object> owners;
  std::vector<View<T>> views;

  Arrays(const py::list& list, const char* name, const char* type) {
    owners.reserve(list.size());
    views.reserve(list.size());
    for (const py::handle item : list) {
      owners.push_back(py::reinterpret_borrow<py::object>(item));
      views.push_back(elements<T>(item, [&] { return name + ("[" + std::to_string(views.size()) + "]"); }, type));
    }
  }
  View<const View<T>> view() const { return {views.data(), views.size()}; }
};

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

}  // namespace rlcompress::bindings
