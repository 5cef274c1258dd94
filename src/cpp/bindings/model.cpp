#include <rlcompress/model.hpp>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/workspace.hpp"

namespace rlcompress::bindings {
namespace {

std::string found_text(const Fault& fault) {
  std::string text = fault.found;
  if (fault.layer >= 0) text += " (layer " + std::to_string(fault.layer) + ")";
  return text;
}

// A copy of the image at an address that suits vector loads.
class AlignedImage {
 public:
  explicit AlignedImage(const py::bytes& source) {
    const auto [data, size] = view_of(source);
    storage_.resize(size + alignment);
    void* start = storage_.data();
    std::size_t space = storage_.size();
    start = std::align(alignment, size, start, space);
    std::memcpy(start, data, size);
    view_ = {static_cast<const std::uint8_t*>(start), size};
  }
  AlignedImage(const AlignedImage&) = delete;
  AlignedImage& operator=(const AlignedImage&) = delete;

  View<const std::uint8_t> view() const { return view_; }

 private:
  static std::pair<const char*, std::size_t> view_of(const py::bytes& source) {
    char* data = nullptr;
    py::ssize_t size = 0;
    if (PyBytes_AsStringAndSize(source.ptr(), &data, &size) != 0) throw py::error_already_set();
    return {data, static_cast<std::size_t>(size)};
  }

  std::vector<std::uint8_t> storage_;
  View<const std::uint8_t> view_;
};

struct Rows {
  float* data;
  std::size_t n;
  std::size_t bytes;
};

template <class Error>
[[noreturn]] void refuse(const char* name, std::size_t columns, bool writeable, const std::string& found) {
  throw Error(std::string(name) + ": a" + (writeable ? " writeable" : "") +
              " C-contiguous float32 array of shape (n, " + std::to_string(columns) + ") expected, " + found +
              " found");
}

// A (n, columns) float32 C-contiguous array; anything else is refused rather than converted.
Rows rows_of(py::handle object, std::size_t columns, bool writeable, const char* name) {
  if (!py::isinstance<py::array>(object)) {
    refuse<py::type_error>(name, columns, writeable, py::str(py::type::of(object).attr("__name__")));
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  if (!py::isinstance<py::array_t<float>>(object)) {
    refuse<py::type_error>(name, columns, writeable, py::str(array.dtype()));
  }
  if (array.ndim() != 2 || static_cast<std::size_t>(array.shape(1)) != columns) {
    refuse<py::value_error>(name, columns, writeable, "shape " + std::string(py::str(array.attr("shape"))));
  }
  constexpr int flags = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if ((array.flags() & flags) != flags) refuse<py::value_error>(name, columns, writeable, "another memory layout");
  if (writeable && !array.writeable()) refuse<py::value_error>(name, columns, writeable, "a read-only array");
  return {static_cast<float*>(const_cast<void*>(array.data())), static_cast<std::size_t>(array.shape(0)),
          static_cast<std::size_t>(array.nbytes())};
}

bool overlap(const Rows& a, const Rows& b) {
  const auto a0 = reinterpret_cast<std::uintptr_t>(a.data);
  const auto b0 = reinterpret_cast<std::uintptr_t>(b.data);
  return a0 < b0 + b.bytes && b0 < a0 + a.bytes;
}

class BoundModel {
 public:
  explicit BoundModel(const py::bytes& image) : bytes_(image), image_(image) {
    require_target();
    Fault fault;
    const Result<Model> model = Model::from_bytes(image_.view(), &fault);
    if (!model) {
      throw py::value_error(std::string("malformed .rlc image: ") + fault.field + " at byte " +
                            std::to_string(fault.offset) + ": expected " + fault.expected + ", found " +
                            found_text(fault));
    }
    model_.emplace(*model);
  }

  const Model& model() const { return *model_; }
  const py::bytes& image() const { return bytes_; }

  void run(py::handle observations, py::handle actions) const {
    const Rows in = rows_of(observations, model_->input_size(), false, "observations");
    const Rows out = rows_of(actions, model_->action_size(), true, "actions");
    if (in.n != out.n) {
      throw py::value_error("actions: " + std::to_string(in.n) + " rows expected, " + std::to_string(out.n) + " found");
    }
    if (overlap(in, out)) throw py::value_error("actions: an array that does not overlap observations expected");
    Status status;
    if (in.n > 1) {
      const py::gil_scoped_release release;
      status = run_rows(in, out);
    } else {
      status = run_rows(in, out);
    }
    if (status != Status::ok) throw py::value_error(message(status));
  }

  std::size_t self_test() const {
    std::size_t matched = 0;
    const Status status = with_workspace(model_->workspace_bytes(), [&](View<std::uint8_t> workspace) {
      return model_->self_test(workspace, &matched);
    });
    if (status == Status::golden_mismatch) {
      throw std::runtime_error("self test: golden vector " + std::to_string(matched) + " of " +
                               std::to_string(model_->golden_count()) + " gave other bits on target " +
                               active_target_name());
    }
    if (status != Status::ok) throw py::value_error(message(status));
    return matched;
  }

 private:
  static std::string active_target_name() {
    return py::module_::import("rlcompress._core").attr("active_target")().cast<std::string>();
  }

  Status run_rows(const Rows& in, const Rows& out) const {
    const std::size_t together = in.n < chunk_rows ? in.n : chunk_rows;
    return with_workspace(model_->batch_workspace_bytes(together), [&](View<std::uint8_t> workspace) {
      return model_->run_batch(in.n, {in.data, in.n * model_->input_size()}, {out.data, out.n * model_->action_size()},
                               workspace);
    });
  }

  py::bytes bytes_;
  AlignedImage image_;
  std::optional<Model> model_;
};

py::object verify(const py::bytes& image) {
  const AlignedImage aligned(image);
  Fault fault;
  if (Model::from_bytes(aligned.view(), &fault)) return py::none();
  return py::make_tuple(name(fault.status), fault.field, fault.offset, fault.expected, found_text(fault));
}

}  // namespace

const Model& model_of(py::handle object) { return py::cast<const BoundModel&>(object).model(); }

void bind_model(py::module_& module) {
  py::class_<BoundModel>(module, "Model", "A network executed from an .rlc image, which it copies.")
      .def(py::init<const py::bytes&>(), py::arg("image"))
      .def_property_readonly("image", [](const BoundModel& self) { return self.image(); })
      .def_property_readonly("input_size", [](const BoundModel& self) { return self.model().input_size(); })
      .def_property_readonly("output_size", [](const BoundModel& self) { return self.model().output_size(); })
      .def_property_readonly("action_size", [](const BoundModel& self) { return self.model().action_size(); })
      .def_property_readonly("weights_bytes", [](const BoundModel& self) { return self.model().weights_bytes(); })
      .def_property_readonly("workspace_bytes", [](const BoundModel& self) { return self.model().workspace_bytes(); })
      .def("run", &BoundModel::run, py::arg("observations"), py::arg("actions"),
           "Run (n, input_size) observations into (n, action_size) actions, float32 both.")
      .def("self_test", &BoundModel::self_test, "Replay the golden vectors; returns how many matched.");
  module.def("verify", &verify, py::arg("image"), "None, or (status, field, offset, expected, found).");
}

}  // namespace rlcompress::bindings
