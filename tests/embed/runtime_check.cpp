// Runs networks of a file on every instruction set of this processor, and counts those whose bits differ.
// A second file holds images of which most are damaged: for each two u32 (bytes of the image, offset of the field that
// is wrong), 32 characters (that field's name; none where the image is right), and the image. Each is read from memory
// of exactly its size, and what is accepted is run.
#include "cases.hpp"

#include <cstdlib>
#include <cstring>

namespace {

using test::Case;
using test::read_case;

bool holds(const Case& c) {
  auto model = c.model();
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

struct Damaged {
  std::uint32_t bytes, offset;
  char field[32];
};

// Whether the reader says of it what it must.
bool answers(const std::uint8_t* image, const Damaged& expected) {
  rlcompress::Fault fault;
  const auto model = rlcompress::Model::from_bytes({image, expected.bytes}, &fault);
  if (std::strcmp(fault.field, expected.field) != 0 || fault.offset != expected.offset) return false;
  if (!model) return model.status() != rlcompress::Status::ok;
  std::vector<float> x(model->input_size(), 0.5F), y(model->action_size());
  std::vector<std::uint32_t> workspace((model->workspace_bytes() + 3) / 4);
  return model->run({x.data(), x.size()}, {y.data(), y.size()},
                    {reinterpret_cast<std::uint8_t*>(workspace.data()), 4 * workspace.size()}) ==
         rlcompress::Status::ok;
}

// Images of the file that are answered otherwise; prints how many were not.
int check_damaged(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return 1;
  int right = 0, wrong = 0;
  for (Damaged head; std::fread(&head, sizeof(head), 1, file) == 1;) {
    auto* image = static_cast<std::uint8_t*>(std::malloc(head.bytes + (head.bytes == 0 ? 1 : 0)));
    if (image == nullptr || std::fread(image, 1, head.bytes, file) != head.bytes) return 1;
    ++(answers(image, head) ? right : wrong);
    std::free(image);
  }
  std::fclose(file);
  std::printf("%d of %d damaged images\n", right, right + wrong);
  return wrong + (right == 0 ? 1 : 0);
}

// Networks of the file whose bits differ here, and how many there are.
std::size_t differing(std::FILE* file, std::size_t& count) {
  std::size_t differ = 0;
  std::rewind(file);
  for (Case c; read_case(c, file); ++count) differ += holds(c) ? 0 : 1;
  return differ;
}

// The command line of a machine with files; without an operating system `bare_main.cpp` calls it.
int check(int argc, char** argv) {
  std::FILE* file = argc >= 2 ? std::fopen(argv[1], "rb") : nullptr;
  if (file == nullptr) return 2;
  int wrong = argc >= 3 ? check_damaged(argv[2]) : 0;
  for (std::size_t i = 0; i < rlcompress::target_count(); ++i) {
    const char* name = rlcompress::target_name(i);
    if (!rlcompress::target_available(i) || rlcompress::force_target(name) != rlcompress::Status::ok) continue;
    std::size_t count = 0;
    const std::size_t differ = differing(file, count);
    std::printf("%s %u of %u\n", name, static_cast<unsigned>(count - differ), static_cast<unsigned>(count));
    wrong += differ != 0 || count == 0 ? 1 : 0;
  }
  std::fclose(file);
  return wrong != 0 ? 1 : 0;
}

}  // namespace

#ifdef RLCOMPRESS_BARE
int hosted_main(int argc, char** argv) { return check(argc, argv); }
#else
int main(int argc, char** argv) { return check(argc, argv); }
#endif
