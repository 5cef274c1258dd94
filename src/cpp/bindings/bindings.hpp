// Each file of this folder binds one noun of the core to the Python module `_core`.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

namespace rlcompress::bindings {

namespace py = pybind11;

void bind_model(py::module_& module);
void bind_targets(py::module_& module);
void bind_ranking(py::module_& module);

// Raises ValueError naming the known targets when RLCOMPRESS_TARGET names one that cannot run.
void require_target();

}  // namespace rlcompress::bindings
