// rlcompress.h: the C++ interface through plain functions. Whatever a caller gives is answered with a status.
#include <rlcompress/rlcompress.h>
#include <rlcompress/model.hpp>
#include <rlcompress/target.hpp>
#include <rlcompress/version.hpp>

#include <cstring>
#include <new>
#include <type_traits>

using rlcompress::Fault;
using rlcompress::Model;
using rlcompress::Status;
using rlcompress::View;

namespace {

constexpr rlcompress_status number(Status status) { return static_cast<rlcompress_status>(status); }

#define RLCOMPRESS_SAME(constant, status) static_assert(RLCOMPRESS_##constant == number(Status::status))
RLCOMPRESS_SAME(OK, ok);
RLCOMPRESS_SAME(MISALIGNED_IMAGE, misaligned_image);
RLCOMPRESS_SAME(TRUNCATED, truncated);
RLCOMPRESS_SAME(TRAILING_BYTES, trailing_bytes);
RLCOMPRESS_SAME(BAD_MAGIC, bad_magic);
RLCOMPRESS_SAME(BAD_CHECKSUM, bad_checksum);
RLCOMPRESS_SAME(UNKNOWN_VALUE, unknown_value);
RLCOMPRESS_SAME(BAD_VALUE, bad_value);
RLCOMPRESS_SAME(BAD_PADDING, bad_padding);
RLCOMPRESS_SAME(OBSERVATION_SIZE, observation_size);
RLCOMPRESS_SAME(ACTION_SIZE, action_size);
RLCOMPRESS_SAME(WORKSPACE_SIZE, workspace_size);
RLCOMPRESS_SAME(MISALIGNED_WORKSPACE, misaligned_workspace);
RLCOMPRESS_SAME(GOLDEN_MISMATCH, golden_mismatch);
RLCOMPRESS_SAME(OVERLAP, overlap);
RLCOMPRESS_SAME(UNKNOWN_TARGET, unknown_target);
RLCOMPRESS_SAME(UNAVAILABLE_TARGET, unavailable_target);
RLCOMPRESS_SAME(NULL_POINTER, null_pointer);
RLCOMPRESS_SAME(MODEL_SIZE, model_size);
RLCOMPRESS_SAME(MISALIGNED_MODEL, misaligned_model);
RLCOMPRESS_SAME(MISALIGNED_ARRAY, misaligned_array);
#undef RLCOMPRESS_SAME

static_assert(sizeof(rlcompress_model_memory) >= sizeof(Model) && alignof(Model) <= 8);
static_assert(std::is_trivially_destructible_v<Model>, "a C model is never closed");
static_assert(sizeof(rlcompress_fault::expected) == sizeof(Fault::expected));
static_assert(sizeof(rlcompress_fault::found) == sizeof(Fault::found));

Status status_of(rlcompress_status status) {
  return status >= 0 && status <= UINT8_MAX ? static_cast<Status>(status) : static_cast<Status>(UINT8_MAX);
}

const Model& model_of(const rlcompress_model* model) { return *reinterpret_cast<const Model*>(model); }

View<std::uint8_t> bytes(void* data, std::size_t size) { return {static_cast<std::uint8_t*>(data), size}; }

void describe(const Fault& fault, rlcompress_fault* out) {
  if (out == nullptr) return;
  out->status = number(fault.status);
  out->layer = fault.layer;
  out->field = fault.field;
  out->offset = fault.offset;
  std::memcpy(out->expected, fault.expected, sizeof(fault.expected));
  std::memcpy(out->found, fault.found, sizeof(fault.found));
}

Status check_memory(const void* memory, std::size_t size) {
  if (memory == nullptr) return Status::null_pointer;
  if (size < sizeof(Model)) return Status::model_size;
  return reinterpret_cast<std::uintptr_t>(memory) % 8 != 0 ? Status::misaligned_model : Status::ok;
}

}  // namespace

extern "C" {

const char* rlcompress_name(rlcompress_status status) { return rlcompress::name(status_of(status)); }

const char* rlcompress_message(rlcompress_status status) { return rlcompress::message(status_of(status)); }

const char* rlcompress_version(void) { return rlcompress::version; }

size_t rlcompress_model_size(void) { return sizeof(Model); }

rlcompress_status rlcompress_model_open(void* memory, size_t memory_bytes, const void* image, size_t image_bytes,
                                        const rlcompress_model** model, rlcompress_fault* fault) {
  Fault reason;
  if (model == nullptr) reason.status = Status::null_pointer, reason.field = "model";
  if (model != nullptr) *model = nullptr;
  if (const Status status = check_memory(memory, memory_bytes); status != Status::ok) {
    reason.status = status;
    reason.field = "memory";
  }
  if (reason.status == Status::ok) {
    const auto opened = Model::from_bytes({static_cast<const std::uint8_t*>(image), image_bytes}, &reason);
    if (opened) *model = reinterpret_cast<const rlcompress_model*>(new (memory) Model(*opened));
  }
  describe(reason, fault);
  return number(reason.status);
}

size_t rlcompress_input_size(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).input_size();
}

size_t rlcompress_output_size(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).output_size();
}

size_t rlcompress_action_size(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).action_size();
}

size_t rlcompress_workspace_bytes(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).workspace_bytes();
}

size_t rlcompress_weights_bytes(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).weights_bytes();
}

size_t rlcompress_layer_count(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).layer_count();
}

size_t rlcompress_golden_count(const rlcompress_model* model) {
  return model == nullptr ? 0 : model_of(model).golden_count();
}

size_t rlcompress_batch_workspace_bytes(const rlcompress_model* model, size_t rows) {
  return model == nullptr ? 0 : model_of(model).batch_workspace_bytes(rows);
}

rlcompress_status rlcompress_run(const rlcompress_model* model, const float* observation, size_t observation_size,
                                 float* action, size_t action_size, void* workspace, size_t workspace_bytes) {
  if (model == nullptr) return RLCOMPRESS_NULL_POINTER;
  return number(
      model_of(model).run({observation, observation_size}, {action, action_size}, bytes(workspace, workspace_bytes)));
}

rlcompress_status rlcompress_run_batch(const rlcompress_model* model, size_t rows, const float* observations,
                                       size_t observations_size, float* actions, size_t actions_size, void* workspace,
                                       size_t workspace_bytes) {
  if (model == nullptr) return RLCOMPRESS_NULL_POINTER;
  return number(model_of(model).run_batch(rows, {observations, observations_size}, {actions, actions_size},
                                          bytes(workspace, workspace_bytes)));
}

rlcompress_status rlcompress_self_test(const rlcompress_model* model, void* workspace, size_t workspace_bytes,
                                       size_t* matched) {
  if (matched != nullptr) *matched = 0;
  if (model == nullptr) return RLCOMPRESS_NULL_POINTER;
  return number(model_of(model).self_test(bytes(workspace, workspace_bytes), matched));
}

const char* rlcompress_active_target(void) { return rlcompress::active_target(); }

rlcompress_status rlcompress_force_target(const char* name) {
  if (name == nullptr) return RLCOMPRESS_NULL_POINTER;
  return number(rlcompress::force_target(name));
}

}  // extern "C"
