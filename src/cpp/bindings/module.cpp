#include <rlcompress/version.hpp>

#include "bindings/bindings.hpp"

PYBIND11_MODULE(_core, module) {
  using namespace rlcompress::bindings;
  module.doc() = "The C++ core of rlcompress; rlcompress.kernels is its typed face.";
  module.attr("__version__") = rlcompress::version;
  bind_targets(module);
  bind_model(module);
  bind_hot_call(module);
  bind_ranking(module);
  bind_weight_statistics(module);
  bind_sparse(module);
  bind_timing(module);
}
