// A network run in place from an .rlc image (docs/format.md): observation -> normalise -> select -> layers ->
// head -> action.
#pragma once

#include <rlcompress/status.hpp>
#include <rlcompress/view.hpp>

#include <cstddef>
#include <cstdint>

namespace rlcompress {

struct KernelTable;

namespace detail {

// A decoded layer record: pointers into the image.
struct Layer {
  std::uint8_t kind;
  std::uint8_t activation;
  std::uint8_t weight_type;
  std::uint8_t scales;
  std::uint32_t inputs;
  std::uint32_t outputs;
  float alpha;
  std::uint8_t index_bytes;
  const std::uint8_t* row_scale;
  const std::uint8_t* columns;
  const std::uint8_t* bias;
  const std::uint8_t* counts;
  const std::uint8_t* indices;
  const std::uint8_t* weights;  // of int8 and int4: the stream, which starts with an integer bias
  std::uint32_t first;          // elements of that stream before the weights
  std::uint64_t entries;        // weights in the record
  std::uint32_t stride;         // dense: weights from one input to the next, where they are input-major
  // Integer dense: inputs are rne(x * input_scale) + input_zero as u8; elsewhere 0.
  float input_scale;
  std::uint8_t input_zero;
  bool takes_bytes;  // the layer before gives them so
  float next_scale;  // of the integer layer that takes this one's outputs as bytes, or 0
  std::uint8_t next_zero;
};

struct Contract {
  std::uint8_t head;
  std::uint8_t observation_rank;
  std::uint32_t observation_shape[4];
  const float* observation_low;  // input_size values, or null
  const float* observation_high;
  float clip;
  const float* mean;  // input_size values, or null: no normalisation
  const float* scale;
  const std::uint8_t* selection;  // a bit for each of input_size values, or null: the layers read all of them
  std::int32_t start;
  const float* head_arrays[4];  // low, high, scale, offset: output_size values each, or null
};

}  // namespace detail

// Cheap to copy and immutable: any number of threads may run one model, each with its own workspace.
// The image must outlive the model and not change.
class Model {
 public:
  static constexpr std::size_t max_layers = 64;

  // Checks the whole image and refers to it from then on; nothing is copied or allocated.
  // `image.data()` must be a multiple of 4. On refusal `fault` (when given) says why.
  static Result<Model> from_bytes(View<const std::uint8_t> image, Fault* fault = nullptr) noexcept;

  // One inference. `observation` holds input_size() values, `action` action_size(), `workspace` at least
  // workspace_bytes(), all at addresses that are multiples of 4. observation and action may overlap.
  Status run(View<const float> observation, View<float> action, View<std::uint8_t> workspace) const noexcept;

  // n inferences; each row's result is that of run(), whatever n and the workspace. Arrays that overlap are refused.
  // As many rows go together as the workspace holds, see batch_workspace_bytes().
  Status run_batch(std::size_t n, View<const float> observations, View<float> actions,
                   View<std::uint8_t> workspace) const noexcept;

  // Replays the golden vectors; `matched` counts those before the first that differs in any bit.
  Status self_test(View<std::uint8_t> workspace, std::size_t* matched = nullptr) const noexcept;

  std::size_t input_size() const noexcept { return input_size_; }
  std::size_t output_size() const noexcept { return output_size_; }  // before the head
  std::size_t action_size() const noexcept { return action_size_; }
  std::size_t workspace_bytes() const noexcept { return (even_floats_ + odd_floats_) * sizeof(float); }
  // With this much workspace run_batch() takes `rows` rows through the layers together; 64 are enough for full speed.
  std::size_t batch_workspace_bytes(std::size_t rows) const noexcept;
  std::size_t weights_bytes() const noexcept { return weights_bytes_; }  // biases, scales and indices included
  std::size_t layer_count() const noexcept { return layer_count_; }
  std::size_t golden_count() const noexcept { return golden_count_; }
  View<const std::uint32_t> observation_shape() const noexcept {
    return {contract_.observation_shape, contract_.observation_rank};
  }

 private:
  friend class ImageDecoder;
  friend class Result<Model>;
  Model() noexcept = default;

  void run_one(const KernelTable& kernels, const float* observation, float* action, float* workspace) const noexcept;
  void run_chunk(const KernelTable& kernels, std::size_t n, const float* observations, float* actions,
                 View<std::uint8_t> workspace) const noexcept;
  std::size_t chunk_rows(std::size_t size) const noexcept;
  std::size_t batch_scratch_bytes() const noexcept;

  std::uint32_t input_size_ = 0;
  std::uint32_t output_size_ = 0;
  std::uint32_t action_size_ = 0;
  std::uint16_t layer_count_ = 0;
  std::uint16_t golden_count_ = 0;
  std::uint16_t chain_ = 0;  // layers at the front that one kernel runs together
  // Values at even positions of the chain (0 = the observation) live in one buffer, those at odd ones in another.
  std::size_t even_floats_ = 0;
  std::size_t odd_floats_ = 0;
  std::size_t weights_bytes_ = 0;
  const float* golden_ = nullptr;
  detail::Contract contract_{};
  detail::Layer layers_[max_layers]{};
};

}  // namespace rlcompress
