// Runs networks of a file on every instruction set of this processor, and counts those whose bits differ.
// The file: for each network four u32 (bytes of the image, rows, inputs, action values), the image, rows, actions.
#include <rlcompress/rlcompress.hpp>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

template <class T>
bool fill(std::vector<T>& values, std::size_t count, std::FILE* file) {
  values.resize(count);
  return std::fread(values.data(), sizeof(T), count, file) == count;
}

struct Case {
  std::vector<std::uint64_t> image;  // aligned
  std::size_t bytes = 0;
  std::size_t inputs = 0, outputs = 0;
  std::vector<float> rows, actions;
};

bool read_case(Case& c, std::FILE* file) {
  std::uint32_t sizes[4];
  if (std::fread(sizes, sizeof(sizes), 1, file) != 1) return false;
  c.bytes = sizes[0];
  c.inputs = sizes[2];
  c.outputs = sizes[3];
  c.image.resize((c.bytes + 7) / 8 + 8);
  if (std::fread(c.image.data(), 1, c.bytes, file) != c.bytes) return false;
  return fill(c.rows, sizes[1] * c.inputs, file) && fill(c.actions, sizes[1] * c.outputs, file);
}

bool holds(const Case& c) {
  auto model = rlcompress::Model::from_bytes({reinterpret_cast<const std::uint8_t*>(c.image.data()), c.bytes});
  if (!model) return false;
  std::vector<std::uint64_t> workspace(model->workspace_bytes() / 8 + 16);
  std::vector<float> action(c.outputs);
  for (std::size_t row = 0; row * c.inputs < c.rows.size(); ++row) {
    const auto status = model->run({c.rows.data() + row * c.inputs, c.inputs}, {action.data(), action.size()},
                                   {reinterpret_cast<std::uint8_t*>(workspace.data()), 8 * workspace.size()});
    if (status != rlcompress::Status::ok) return false;
    if (std::memcmp(action.data(), c.actions.data() + row * c.outputs, 4 * c.outputs) != 0) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::FILE* file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
  if (file == nullptr) return 2;
  std::vector<Case> cases;
  for (Case c; read_case(c, file); c = Case{}) cases.push_back(c);
  std::fclose(file);
  int wrong = 0;
  for (std::size_t i = 0; i < rlcompress::target_count(); ++i) {
    const char* name = rlcompress::target_name(i);
    if (!rlcompress::target_available(i) || rlcompress::force_target(name) != rlcompress::Status::ok) continue;
    std::size_t differ = 0;
    for (const Case& c : cases) differ += holds(c) ? 0 : 1;
    std::printf("%s %zu of %zu\n", name, cases.size() - differ, cases.size());
    wrong += differ != 0 ? 1 : 0;
  }
  return wrong != 0 || cases.empty() ? 1 : 0;
}
