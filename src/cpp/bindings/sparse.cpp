#include <rlcompress/matmul.hpp>
#include <rlcompress/training.hpp>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"

namespace rlcompress::bindings {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t brief = 65536;  // multiply-adds: a few microseconds, not worth to let other threads in

// The memory of an aligned C-contiguous array of exactly this type and number of dimensions. Small products take as
// long as these checks, so that only a refusal puts words together and most arrays have the type's own descriptor.
template <class T>
T* elements(const py::object& object, const char* name, const char* type, py::ssize_t least, py::ssize_t most) {
  using Element = std::remove_const_t<T>;
  const auto wanted = [&] { return std::string(name) + ": a C-contiguous " + type + " array expected, "; };
  if (!py::isinstance<py::array>(object)) {
    throw py::type_error(wanted() + py::type::of(object).attr("__name__").cast<std::string>() + " found");
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!array.dtype().is(py::dtype::of<Element>()) && !py::isinstance<py::array_t<Element>>(object)) {
    throw py::type_error(wanted() + py::str(array.dtype()).cast<std::string>() + " found");
  }
  constexpr int flags = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array.flags() & flags) != flags) throw py::value_error(wanted() + "another memory layout found");
  if (array.ndim() < least || array.ndim() > most) {
    throw py::value_error(std::string(name) + ": " + std::to_string(array.ndim()) + " dimensions found");
  }
  if (!std::is_const_v<T> && !array.writeable())
    throw py::value_error(std::string(name) + ": a writable array expected");
  return static_cast<T*>(const_cast<void*>(array.data()));
}

void check(Status status) {
  if (status != Status::ok) throw py::value_error(message(status));
}

py::array as_array(const py::object& object) { return py::reinterpret_borrow<py::array>(object); }

std::size_t extent(const py::array& array, py::ssize_t axis) { return static_cast<std::size_t>(array.shape(axis)); }

template <class T>
View<T> flat(const py::object& object, const char* name, const char* type) {
  T* const data = elements<T>(object, name, type, 1, 2);
  return {data, static_cast<std::size_t>(as_array(object).size())};
}

void bound_sgd(const py::object& weights, const py::object& gradient, const py::object& velocity, float rate,
               float momentum) {
  const View<float> v = velocity.is_none() ? View<float>() : flat<float>(velocity, "velocity", "float32");
  check(sgd_update(flat<float>(weights, "weights", "float32"), flat<const float>(gradient, "gradient", "float32"), v,
                   rate, momentum));
}

void bound_adam(const py::object& weights, const py::object& gradient, const py::object& mean, const py::object& square,
                float rate, float correction, float beta1, float beta2, float epsilon) {
  check(adam_update(flat<float>(weights, "weights", "float32"), flat<const float>(gradient, "gradient", "float32"),
                    flat<float>(mean, "mean", "float32"), flat<float>(square, "square", "float32"),
                    {beta1, beta2, rate, correction, epsilon}));
}

double bound_cross_entropy(const py::object& y, const py::object& labels, const py::object& slope) {
  const View<const float> outputs = flat<const float>(y, "y", "float32");
  const View<float> result = flat<float>(slope, "slope", "float32");
  if (as_array(y).ndim() != 2) throw py::value_error("y: shape (classes, columns) expected");
  const View<const std::int64_t> classes = flat<const std::int64_t>(labels, "labels", "int64");
  const std::size_t columns = extent(as_array(y), 1);
  const std::size_t batch = classes.size();
  std::vector<float> found(2 * batch);
  const View<float> largest(found.data(), batch);
  const View<float> sums(found.data() + batch, batch);
  check(cross_entropy(outputs, columns, classes, result, largest, sums));
  double loss = 0.0;
  for (std::size_t b = 0; b < batch; ++b) {
    const auto own = static_cast<double>(outputs.data()[static_cast<std::size_t>(classes.data()[b]) * columns + b]);
    loss += std::log(static_cast<double>(sums.data()[b])) - (own - static_cast<double>(largest.data()[b]));
  }
  return loss / static_cast<double>(batch);
}

void bound_gather(const py::object& from, const py::object& places, const py::object& to) {
  const View<const float> source = flat<const float>(from, "from", "float32");
  const View<const std::uint32_t> index = flat<const std::uint32_t>(places, "places", "uint32");
  check(gather(source, index, flat<float>(to, "to", "float32")));
}

void bound_transpose(const py::object& from, const py::object& to) {
  const View<const float> source = flat<const float>(from, "from", "float32");
  const View<float> result = flat<float>(to, "to", "float32");
  if (as_array(from).ndim() != 2 || as_array(to).ndim() != 2 || extent(as_array(from), 1) != extent(as_array(to), 0)) {
    throw py::value_error("to: one row per column of `from` expected");
  }
  check(transpose(source, extent(as_array(from), 0), extent(as_array(from), 1), extent(as_array(to), 1), result));
}

class BoundSparse {
 public:
  BoundSparse(const py::object& weight, const py::object& mask, int layout) {
    require_target();
    if (layout < 0 || layout > 2) throw py::value_error("layout: 0..2 expected, found " + std::to_string(layout));
    const auto* const w = elements<const float>(weight, "weight", "float32", 2, 2);
    const auto* const m = elements<const bool>(mask, "mask", "bool", 2, 2);
    const std::size_t outputs = extent(as_array(weight), 0);
    const std::size_t inputs = extent(as_array(weight), 1);
    if (extent(as_array(mask), 0) != outputs || extent(as_array(mask), 1) != inputs) {
      throw py::value_error("mask: the weight's shape expected");
    }
    const MaskedWeights source{{w, outputs * inputs}, {m, outputs * inputs}, outputs, inputs};
    const auto chosen = static_cast<SparseLayout>(layout);
    Status status = SparseMatrix::packed_bytes(source, chosen, bytes_);
    if (status == Status::ok) {
      storage_.resize(bytes_ + alignment);
      void* start = storage_.data();
      std::size_t space = storage_.size();
      start = std::align(alignment, bytes_, start, space);
      status = SparseMatrix::pack(source, chosen, {static_cast<std::uint8_t*>(start), bytes_}, matrix_);
    }
    if (status != Status::ok) throw py::value_error(message(status));
  }
  BoundSparse(const BoundSparse&) = delete;
  BoundSparse& operator=(const BoundSparse&) = delete;

  const SparseMatrix& matrix() const { return matrix_; }
  std::size_t bytes() const { return bytes_; }

  void multiply(const py::object& x, const py::object& y, const py::object& bias) const {
    const auto* const in = elements<const float>(x, "x", "float32", 1, 2);
    auto* const out = elements<float>(y, "out", "float32", 1, 2);
    const float* const b = bias.is_none() ? nullptr : elements<const float>(bias, "bias", "float32", 1, 1);
    const py::array source = as_array(x);
    const py::array result = as_array(y);
    const std::size_t columns = source.ndim() == 2 ? extent(source, 1) : 1;
    if (extent(source, 0) != matrix_.inputs()) {
      throw py::value_error("x: " + std::to_string(matrix_.inputs()) + " rows expected, " +
                            std::to_string(extent(source, 0)) + " found");
    }
    if (result.ndim() != source.ndim() || extent(result, 0) != matrix_.outputs() ||
        (result.ndim() == 2 && extent(result, 1) != columns)) {
      throw py::value_error("out: shape (" + std::to_string(matrix_.outputs()) +
                            (source.ndim() == 2 ? ", " + std::to_string(columns) : std::string(",")) + ") expected, " +
                            py::str(result.attr("shape")).cast<std::string>() + " found");
    }
    const View<const float> start(b, b == nullptr ? 0 : static_cast<std::size_t>(as_array(bias).size()));
    if (b != nullptr && start.size() != matrix_.outputs()) throw py::value_error("bias: one value per output expected");
    const auto run = [&] {
      std::uint8_t workspace[SparseMatrix::workspace_bytes()];
      return matrix_.multiply({in, matrix_.inputs() * columns}, columns, start, {out, matrix_.outputs() * columns},
                              {workspace, sizeof(workspace)});
    };
    Status status;
    if (columns > 1 && matrix_.nonzeros() * columns > brief) {
      const py::gil_scoped_release release;
      status = run();
    } else {
      status = run();
    }
    if (status != Status::ok) throw py::value_error(message(status));
  }

  void gradient(const py::object& x, const py::object& dy, const py::object& out) const {
    const auto* const in = elements<const float>(x, "x", "float32", 2, 2);
    const auto* const slope = elements<const float>(dy, "dy", "float32", 2, 2);
    auto* const result = elements<float>(out, "out", "float32", 1, 1);
    const auto size = [](const py::object& object) { return static_cast<std::size_t>(as_array(object).size()); };
    check(matrix_.gradient({in, size(x)}, {slope, size(dy)}, extent(as_array(x), 1), {result, size(out)}));
  }

  py::array values(const py::object& owner) const {
    return py::array_t<float>(static_cast<py::ssize_t>(matrix_.values().size()), matrix_.values().data(), owner);
  }

  py::tuple unpack() const {
    py::array_t<float> weight({matrix_.outputs(), matrix_.inputs()});
    py::array_t<bool> mask({matrix_.outputs(), matrix_.inputs()});
    const std::size_t size = matrix_.outputs() * matrix_.inputs();
    const Status status = matrix_.unpack({weight.mutable_data(), size}, {mask.mutable_data(), size});
    if (status != Status::ok) throw py::value_error(message(status));
    return py::make_tuple(std::move(weight), std::move(mask));
  }

 private:
  std::vector<std::uint8_t> storage_;
  std::size_t bytes_ = 0;
  SparseMatrix matrix_;
};

}  // namespace

void bind_sparse(py::module_& module) {
  py::class_<BoundSparse>(module, "SparseMatrix", "A masked matrix packed in one layout.")
      .def(py::init<const py::object&, const py::object&, int>(), py::arg("weight"), py::arg("mask"), py::arg("layout"))
      .def_property_readonly("nonzeros", [](const BoundSparse& self) { return self.matrix().nonzeros(); })
      .def_property_readonly("size_bytes", &BoundSparse::bytes)
      .def("multiply", &BoundSparse::multiply, py::arg("x"), py::arg("out"), py::arg("bias"),
           "out = matrix @ x (+ bias), float32 all.")
      .def("gradient", &BoundSparse::gradient, py::arg("x"), py::arg("dy"), py::arg("out"),
           "Layout rows: dy @ x.T where entries are, in their order.")
      .def_property_readonly(
          "values", [](const py::object& self) { return self.cast<const BoundSparse&>().values(self); },
          "Layout rows: the kept weights in the order of packing, to write to.")
      .def("unpack", &BoundSparse::unpack, "The (outputs, inputs) weight and mask.");
  module.def("sgd_update", &bound_sgd, py::arg("weights"), py::arg("gradient"), py::arg("velocity"), py::arg("rate"),
             py::arg("momentum"), "One step of SGD, in place.");
  module.def("adam_update", &bound_adam, py::arg("weights"), py::arg("gradient"), py::arg("mean"), py::arg("square"),
             py::arg("rate"), py::arg("correction"), py::arg("beta1"), py::arg("beta2"), py::arg("epsilon"),
             "One step of Adam, in place.");
  module.def(
      "activate",
      [](std::uint8_t activation, const py::object& y) { check(activate(activation, flat<float>(y, "y", "float32"))); },
      py::arg("activation"), py::arg("y"), "0 identity, 1 relu, 2 tanh, in place.");
  module.def(
      "activation_slope",
      [](std::uint8_t activation, const py::object& y, const py::object& dy, const py::object& sums) {
        check(activation_slope(activation, flat<const float>(y, "y", "float32"), flat<float>(dy, "dy", "float32"),
                               flat<float>(sums, "sums", "float32")));
      },
      py::arg("activation"), py::arg("y"), py::arg("dy"), py::arg("sums"),
      "dy times the activation's slope at its result y, in place, and its sums over the columns.");
  module.def("cross_entropy", &bound_cross_entropy, py::arg("y"), py::arg("labels"), py::arg("slope"),
             "The mean cross entropy of (classes, columns) outputs, and its slopes.");
  module.def("gather", &bound_gather, py::arg("from_"), py::arg("places"), py::arg("to"), "to[i] = from_[places[i]].");
  module.def("transpose", &bound_transpose, py::arg("from_"), py::arg("to"), "to = from_.T, then +0 to its width.");
}

}  // namespace rlcompress::bindings
