#include <rlcompress/target.hpp>

#include <string>

#include "bindings/bindings.hpp"

namespace rlcompress::bindings {
namespace {

py::list names(bool available_only) {
  py::list result;
  for (std::size_t i = 0; i < target_count(); ++i) {
    if (!available_only || target_available(i)) result.append(target_name(i));
  }
  return result;
}

std::string joined(bool available_only) {
  std::string text;
  for (const auto item : names(available_only)) text += (text.empty() ? "" : ", ") + item.cast<std::string>();
  return text;
}

[[noreturn]] void refuse(const std::string& where, const std::string& name, Status status) {
  const std::string why = status == Status::unknown_target ? "no such target is compiled in" : message(status);
  throw py::value_error(where + ": " + why + ": '" + name + "'; available: " + joined(true) +
                        "; compiled: " + joined(false));
}

std::string active() {
  require_target();
  return active_target();
}

void force(const std::string& name) {
  const Status status = force_target(name.c_str());
  if (status != Status::ok) refuse("target", name, status);
}

}  // namespace

void require_target() {
  Status status = Status::ok;
  if (active_target(&status) != nullptr) return;
  const char* name = std::getenv("RLCOMPRESS_TARGET");
  refuse("environment variable RLCOMPRESS_TARGET", name != nullptr ? name : "", status);
}

void bind_targets(py::module_& module) {
  module.def("compiled_targets", [] { return names(false); }, "Targets in this build, best first.");
  module.def("available_targets", [] { return names(true); }, "Those of them that this processor can run.");
  module.def("active_target", &active, "The target in use.");
  module.def("force_target", &force, py::arg("name"), "Use this target from now on, in every thread.");
}

}  // namespace rlcompress::bindings
