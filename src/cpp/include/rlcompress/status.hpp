// What a call came to: a Status, a Result that carries a value or a Status, and the Fault of a refused image.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rlcompress {

// X(name, message). Their numbers are those of rlcompress.h: new ones are added at the end.
#define RLCOMPRESS_STATUSES(X)                                                               \
  X(ok, "success")                                                                           \
  X(misaligned_image, "the image's address must be a multiple of 4")                         \
  X(truncated, "the image is shorter than its contents")                                     \
  X(trailing_bytes, "the image is longer than its contents")                                 \
  X(bad_magic, "not an .rlc image")                                                          \
  X(bad_checksum, "the image is damaged: its checksum does not match")                       \
  X(unknown_value, "the image uses a version, kind or flag that this library does not know") \
  X(bad_value, "the image holds a value that the format does not allow")                     \
  X(bad_padding, "the image's padding is not zero")                                          \
  X(observation_size, "the observations' size does not match the model")                     \
  X(action_size, "the actions' size does not match the model")                               \
  X(workspace_size, "the workspace is smaller than workspace_bytes()")                       \
  X(misaligned_workspace, "the workspace's address must be a multiple of 4")                 \
  X(golden_mismatch, "a golden vector gave other bits than the image holds")                 \
  X(not_a_number, "magnitudes cannot be ranked: NaN among the weights or as threshold")      \
  X(keep_count, "more weights to keep than there are")                                       \
  X(mask_size, "the masks' number or sizes do not match the weights")                        \
  X(counts_size, "the counts' number does not match the thresholds")                         \
  X(not_finite, "statistics need finite weights: NaN or infinity among them")                \
  X(matrix_shape, "the arrays' sizes do not match the matrix")                               \
  X(matrix_memory, "the matrix needs packed_bytes() bytes at a multiple of 64")              \
  X(not_in_blocks, "the mask does not keep whole blocks of 16 outputs")                      \
  X(overlap, "an output overlaps an input")                                                  \
  X(unknown_target, "no target of that name is compiled in; see target_name()")              \
  X(unavailable_target, "this processor lacks the instructions of that target")              \
  X(null_pointer, "a pointer is null")                                                       \
  X(model_size, "the model's memory is smaller than rlcompress_model_size()")                \
  X(misaligned_model, "the model's memory must start at a multiple of 8")                    \
  X(misaligned_array, "the observations' and the actions' addresses must be multiples of 4") \
  X(no_image, "the model has no image: from_bytes() refused it")

enum class [[nodiscard]] Status : std::uint8_t {
#define RLCOMPRESS_STATUS(name, text) name,
  RLCOMPRESS_STATUSES(RLCOMPRESS_STATUS)
#undef RLCOMPRESS_STATUS
};

// The identifier ("bad_value") and a sentence about it; static strings.
const char* name(Status status) noexcept;
const char* message(Status status) noexcept;

// Why an image was refused. Field names are those of docs/format.md.
struct Fault {
  Status status = Status::ok;
  std::int32_t layer = -1;  // of the record that holds the field, or -1
  const char* field = "";
  std::size_t offset = 0;  // of the first byte of the field or element
  char expected[56] = "";
  char found[40] = "";
};

// A value, or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  explicit operator bool() const noexcept { return status_ == Status::ok; }
  Status status() const noexcept { return status_; }
  // Of a refused result a value that answers no_image.
  const T& operator*() const noexcept { return value_; }
  const T* operator->() const noexcept { return &value_; }

 private:
  friend T;
  Result() noexcept = default;
  T value_;
  Status status_ = Status::ok;
};

}  // namespace rlcompress
