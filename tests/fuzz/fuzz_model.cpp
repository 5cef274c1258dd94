// libFuzzer's entry: any bytes as an image, through the C++ and the C interface. The checksum is put right first, as
// otherwise few inputs would get past the header. What opens is run, in a batch too. tests/fuzz/README.md says how.
#include <rlcompress/rlcompress.h>
#include <rlcompress/model.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/checksum.hpp"

namespace {

using rlcompress::Model;
using rlcompress::Status;

constexpr std::size_t header_bytes = 32;
constexpr std::size_t checksum_at = 12;
constexpr std::size_t most_values = 1 << 16;  // wider models open, but are too slow to run millions of times

void require(bool condition) {
  if (!condition) std::abort();
}

void put_checksum(std::uint8_t* image, std::size_t size) {
  std::memset(image + checksum_at, 0, 4);
  rlcompress::Crc32 crc;
  crc.add(image, size);
  const std::uint32_t value = crc.value();
  for (unsigned i = 0; i < 4; ++i) image[checksum_at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

void run(const Model& model) {
  if (model.workspace_bytes() > most_values * sizeof(float) || model.input_size() > most_values) return;
  constexpr std::size_t rows = 3;
  std::vector<std::uint8_t> workspace(model.batch_workspace_bytes(2));
  std::vector<float> x(rows * model.input_size(), 0.75F);
  std::vector<float> y(rows * model.action_size());
  require(model.run({x.data(), model.input_size()}, {y.data(), model.action_size()}, workspace) == Status::ok);
  require(model.run_batch(rows, x, y, workspace) == Status::ok);
  const Status tested = model.self_test(workspace);
  require(tested == Status::ok || tested == Status::golden_mismatch);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Exactly as long as the input, so that the sanitizer sees the first byte too many.
  std::vector<std::uint8_t> image(data, data + size);
  image.shrink_to_fit();
  if (size >= header_bytes) put_checksum(image.data(), size);

  rlcompress::Fault fault;
  const auto model = Model::from_bytes(image, &fault);
  require(static_cast<bool>(model) == (fault.status == Status::ok));
  require(fault.offset <= size || fault.status == Status::truncated);
  if (model) run(*model);

  rlcompress_model_memory memory;
  const rlcompress_model* opened = nullptr;
  rlcompress_fault reason;
  const auto status = rlcompress_model_open(&memory, sizeof(memory), image.data(), image.size(), &opened, &reason);
  require(status == static_cast<rlcompress_status>(model.status()) && (opened != nullptr) == static_cast<bool>(model));
  return 0;
}
