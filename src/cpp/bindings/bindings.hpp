// Each file of this folder binds one noun of the core to the Python module `_core`.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <rlcompress/model.hpp>

namespace rlcompress::bindings {

namespace py = pybind11;

void bind_hot_call(py::module_& module);
void bind_model(py::module_& module);
void bind_targets(py::module_& module);
void bind_ranking(py::module_& module);
void bind_weight_statistics(py::module_& module);
void bind_sparse(py::module_& module);
void bind_timing(py::module_& module);

// Raises ValueError naming the known targets when RLCOMPRESS_TARGET names one that cannot run.
void require_target();

// The model inside a bound `Model`; lives as long as the object. Raises TypeError for anything else.
const Model& model_of(py::handle object);

}  // namespace rlcompress::bindings
