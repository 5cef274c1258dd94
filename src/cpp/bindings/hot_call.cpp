// HotCall: the base of `Runtime`. Its vectorcall entry takes float32 arrays of the expected shape straight to the
// model, on NumPy's C API, because conversions by pybind11 cost several times a small network. Everything else goes to
// the method `_general` of the subclass.
#include <rlcompress/model.hpp>

#define PY_ARRAY_UNIQUE_SYMBOL rlcompress_hot_call
#define NPY_NO_DEPRECATED_API NPY_1_22_API_VERSION
#define NPY_TARGET_VERSION NPY_1_22_API_VERSION
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>
#include <structmember.h>

#include <cstring>

#include "bindings/bindings.hpp"
#include "bindings/workspace.hpp"

namespace rlcompress::bindings {
namespace {

constexpr int most_dimensions = 5;          // four of an observation, one of a batch
constexpr std::size_t rows_with_lock = 16;  // smaller batches are over before another thread could take the lock
constexpr std::size_t stack_actions = 256;  // argmax rows that need no heap

struct HotCall {
  PyObject_HEAD vectorcallfunc entry;
  PyObject* owner;  // the bound Model
  const Model* model;
  PyObject* general;  // name of the method for everything else
  int rank;
  npy_intp shape[most_dimensions];
  npy_intp actions;  // of one observation
  bool discrete;
};

PyObject* out_name = nullptr;  // "out", interned

// A batch (or one observation: rows = 1, batch = false) that the model can read or write in place.
struct Rows {
  float* data;
  std::size_t count;
  bool batch;
};

bool in_place(PyArrayObject* array, int type, int extra_flags) {
  constexpr int wanted = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;
  return PyArray_TYPE(array) == type && PyArray_CHKFLAGS(array, wanted | extra_flags) && PyArray_ISNOTSWAPPED(array);
}

bool has_shape(PyArrayObject* array, int rank, const npy_intp* shape) {
  if (PyArray_NDIM(array) != rank) return false;
  for (int i = 0; i < rank; ++i) {
    if (PyArray_DIM(array, i) != shape[i]) return false;
  }
  return true;
}

// The rows of an observation or a batch; without data where the array is none that the model reads in place.
Rows observation_rows(const HotCall& self, PyObject* object) {
  constexpr Rows none{nullptr, 0, false};
  if (!PyArray_CheckExact(object)) return none;
  auto* array = reinterpret_cast<PyArrayObject*>(object);
  const int extra = PyArray_NDIM(array) - self.rank;
  if ((extra != 0 && extra != 1) || !in_place(array, NPY_FLOAT32, 0)) return none;
  const npy_intp* dims = PyArray_DIMS(array);
  for (int i = 0; i < self.rank; ++i) {
    if (dims[i + extra] != self.shape[i]) return none;
  }
  return {static_cast<float*>(PyArray_DATA(array)), extra == 1 ? static_cast<std::size_t>(dims[0]) : 1, extra == 1};
}

bool overlap(const void* a, std::size_t a_bytes, const void* b, std::size_t b_bytes) {
  const auto a0 = reinterpret_cast<std::uintptr_t>(a);
  const auto b0 = reinterpret_cast<std::uintptr_t>(b);
  return a0 < b0 + b_bytes && b0 < a0 + a_bytes;
}

// What a control loop calls: one observation into an array for its action. False for everything else, or when the
// general way must say why.
inline bool run_single(const HotCall& self, PyObject* observation, PyObject* out) {
  if (!PyArray_CheckExact(observation) || !PyArray_CheckExact(out)) return false;
  auto* from = reinterpret_cast<PyArrayObject*>(observation);
  auto* to = reinterpret_cast<PyArrayObject*>(out);
  if (!has_shape(from, self.rank, self.shape) || !has_shape(to, 1, &self.actions)) return false;
  if (!in_place(from, NPY_FLOAT32, 0) || !in_place(to, NPY_FLOAT32, NPY_ARRAY_WRITEABLE)) return false;
  const Model& model = *self.model;
  const View<const float> x(static_cast<float*>(PyArray_DATA(from)), model.input_size());
  const View<float> y(static_cast<float*>(PyArray_DATA(to)), model.action_size());
  if (overlap(x.data(), x.size() * sizeof(float), y.data(), y.size() * sizeof(float))) return false;
  const auto body = [&](View<std::uint8_t> workspace) { return model.run(x, y, workspace); };
  return with_workspace(model.workspace_bytes(), body) == Status::ok;
}

Status run(const HotCall& self, const Rows& rows, float* actions) {
  const Model& model = *self.model;
  const View<const float> in(rows.data, rows.count * model.input_size());
  const View<float> out(actions, rows.count * model.action_size());
  const auto body = [&](View<std::uint8_t> workspace) {
    return rows.batch ? model.run_batch(rows.count, in, out, workspace) : model.run(in, out, workspace);
  };
  if (!rows.batch) return with_workspace(model.workspace_bytes(), body);
  const std::size_t bytes = model.batch_workspace_bytes(rows.count < chunk_rows ? rows.count : chunk_rows);
  if (rows.count < rows_with_lock) return with_workspace(bytes, body);
  const py::gil_scoped_release release;
  return with_workspace(bytes, body);
}

// An array for the actions: the caller's, checked, or a new one; null (no error set) when the general way must say why.
PyObject* output(const HotCall& self, const Rows& rows, PyObject* out, int type) {
  const int dimensions = (rows.batch ? 1 : 0) + (self.discrete ? 0 : 1);
  npy_intp dims[2] = {static_cast<npy_intp>(rows.count), static_cast<npy_intp>(self.model->action_size())};
  const npy_intp* wanted = rows.batch ? dims : dims + 1;
  if (out == nullptr) return PyArray_SimpleNew(dimensions, const_cast<npy_intp*>(wanted), type);
  if (!PyArray_CheckExact(out)) return nullptr;
  auto* array = reinterpret_cast<PyArrayObject*>(out);
  if (!has_shape(array, dimensions, wanted) || !in_place(array, type, NPY_ARRAY_WRITEABLE)) return nullptr;
  const std::size_t bytes = rows.count * self.model->input_size() * sizeof(float);
  const std::size_t each = type == NPY_INT64 ? sizeof(npy_int64) : sizeof(float);
  const std::size_t out_bytes = rows.count * (self.discrete ? 1 : self.model->action_size()) * each;
  if (overlap(rows.data, bytes, PyArray_DATA(array), out_bytes)) return nullptr;
  Py_INCREF(out);
  return out;
}

PyObject* continuous(const HotCall& self, const Rows& rows, PyObject* out) {
  PyObject* result = output(self, rows, out, NPY_FLOAT32);
  if (result == nullptr) return nullptr;
  auto* array = reinterpret_cast<PyArrayObject*>(result);
  if (run(self, rows, static_cast<float*>(PyArray_DATA(array))) == Status::ok) return result;
  Py_DECREF(result);
  return nullptr;
}

PyObject* discrete(const HotCall& self, const Rows& rows, PyObject* out) {
  if (rows.count > stack_actions) return nullptr;
  float actions[stack_actions];
  if (!rows.batch && out == nullptr) {
    if (run(self, rows, actions) != Status::ok) return nullptr;
    PyObject* scalar = PyArrayScalar_New(Int64);
    if (scalar != nullptr) PyArrayScalar_ASSIGN(scalar, Int64, static_cast<npy_int64>(actions[0]));
    return scalar;
  }
  PyObject* result = output(self, rows, out, NPY_INT64);
  if (result == nullptr) return nullptr;
  if (run(self, rows, actions) != Status::ok) {
    Py_DECREF(result);
    return nullptr;
  }
  auto* values = static_cast<npy_int64*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(result)));
  for (std::size_t i = 0; i < rows.count; ++i) values[i] = static_cast<npy_int64>(actions[i]);
  return result;
}

PyObject* general(const HotCall& self, PyObject* const* arguments, std::size_t flagged, PyObject* names) {
  const auto count = static_cast<std::size_t>(PyVectorcall_NARGS(flagged));
  const std::size_t named = names != nullptr ? static_cast<std::size_t>(PyTuple_GET_SIZE(names)) : 0;
  constexpr std::size_t most = 8;
  if (count + named > most) {
    PyErr_SetString(PyExc_TypeError, "a call takes an observation and `out`");
    return nullptr;
  }
  PyObject* all[most + 2];
  all[1] = const_cast<PyObject*>(reinterpret_cast<const PyObject*>(&self));
  for (std::size_t i = 0; i < count + named; ++i) all[i + 2] = arguments[i];
  return PyObject_VectorcallMethod(self.general, all + 1, (count + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}

// Names in a call's source are interned, so that the same object is the usual case.
bool only_out(PyObject* names) {
  if (PyTuple_GET_SIZE(names) != 1) return false;
  PyObject* name = PyTuple_GET_ITEM(names, 0);
  return name == out_name || PyUnicode_CompareWithASCIIString(name, "out") == 0;
}

PyObject* call(PyObject* object, PyObject* const* arguments, std::size_t flagged, PyObject* names) {
  const HotCall& self = *reinterpret_cast<HotCall*>(object);
  const auto count = static_cast<std::size_t>(PyVectorcall_NARGS(flagged));
  PyObject* out = count == 2 ? arguments[1] : nullptr;
  bool expected = self.model != nullptr && (count == 1 || count == 2);
  if (names != nullptr && expected) {
    expected = count == 1 && only_out(names);
    if (expected) out = arguments[1];
  }
  if (out == Py_None) out = nullptr;
  if (expected && out != nullptr && !self.discrete && run_single(self, arguments[0], out)) {
    Py_INCREF(out);
    return out;
  }
  if (expected) {
    const Rows rows = observation_rows(self, arguments[0]);
    if (rows.data != nullptr) {
      PyObject* result = self.discrete ? discrete(self, rows, out) : continuous(self, rows, out);
      if (result != nullptr || PyErr_Occurred() != nullptr) return result;
    }
  }
  return general(self, arguments, flagged, names);
}

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* object = type->tp_alloc(type, 0);
  if (object == nullptr) return nullptr;
  auto* self = reinterpret_cast<HotCall*>(object);
  self->entry = call;
  self->general = PyUnicode_InternFromString("_general");
  return object;
}

void destroy(PyObject* object) {
  auto* self = reinterpret_cast<HotCall*>(object);
  PyTypeObject* type = Py_TYPE(object);
  Py_XDECREF(self->owner);
  Py_XDECREF(self->general);
  type->tp_free(object);
  Py_DECREF(type);
}

// Python classes inherit the flag only from 3.12 on; without it each call pays for a tuple and a dictionary. A subclass
// with a `__call__` of its own keeps that.
void inherit_vectorcall(PyTypeObject* type) {
  if (type->tp_call == PyVectorcall_Call) type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
}

PyObject* attach(PyObject* object, PyObject* arguments) {
  auto* self = reinterpret_cast<HotCall*>(object);
  PyObject* owner = nullptr;
  PyObject* shape = nullptr;
  int discrete = 0;
  if (PyArg_ParseTuple(arguments, "OO!p", &owner, &PyTuple_Type, &shape, &discrete) == 0) return nullptr;
  if (PyTuple_GET_SIZE(shape) >= most_dimensions) {
    PyErr_SetString(PyExc_ValueError, "shape: at most 4 dimensions expected");
    return nullptr;
  }
  const Model* model = nullptr;
  try {
    model = &model_of(owner);
  } catch (const py::builtin_exception& error) {
    error.set_error();
    return nullptr;
  }
  self->rank = static_cast<int>(PyTuple_GET_SIZE(shape));
  for (int i = 0; i < self->rank; ++i) self->shape[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, i));
  if (PyErr_Occurred() != nullptr) return nullptr;
  Py_INCREF(owner);
  Py_XSETREF(self->owner, owner);
  self->actions = static_cast<npy_intp>(model->action_size());
  self->discrete = discrete != 0;
  inherit_vectorcall(Py_TYPE(object));
  self->model = model;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"attach", attach, METH_VARARGS, "attach(self, model, shape, discrete)\n\nWhat the calls run."}, {}};

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(HotCall, entry), READONLY, nullptr}, {}};

template <class Function>
void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

PyType_Slot slots[] = {
    {Py_tp_new, slot(create)},
    {Py_tp_dealloc, slot(destroy)},
    {Py_tp_call, slot(PyVectorcall_Call)},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_doc,
     const_cast<char*>("The call of a runtime: float32 arrays of the expected shape go straight to the model.")},
    {0, nullptr}};

PyType_Spec spec = {"rlcompress._core.HotCall", sizeof(HotCall), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL, slots};

}  // namespace

void bind_hot_call(py::module_& module) {
  if (_import_array() < 0) throw py::error_already_set();
  out_name = PyUnicode_InternFromString("out");
  if (out_name == nullptr) throw py::error_already_set();
  module.add_object("HotCall", py::reinterpret_steal<py::object>(PyType_FromSpec(&spec)));
}

}  // namespace rlcompress::bindings
