// What a program of files needs on a Cortex-M without an operating system: its arguments and files come from the
// debugger through newlib, memory from newlib's heap. The library itself needs none of it, nor libstdc++.
#include <cstdint>
#include <cstdlib>
#include <new>

extern "C" void initialise_monitor_handles();  // newlib: standard output through the debugger

int hosted_main(int argc, char** argv);

void* operator new(std::size_t bytes) {
  if (void* memory = std::malloc(bytes)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace std {
void __throw_bad_alloc() { abort(); }
void __throw_bad_array_new_length() { abort(); }
void __throw_length_error(const char*) { abort(); }
}  // namespace std

namespace {

constexpr int most_words = 4;
char line[256];

void read_command_line() {
  const struct {
    char* text;
    std::uint32_t bytes;
  } block = {line, sizeof(line)};
  register int operation __asm__("r0") = 0x15;  // SYS_GET_CMDLINE
  register const void* argument __asm__("r1") = &block;
  __asm__ volatile("bkpt 0xAB" : "+r"(operation) : "r"(argument) : "memory");
}

}  // namespace

int main() {
  initialise_monitor_handles();
  read_command_line();
  char* words[most_words + 1] = {};
  int count = 0;
  for (char* at = line; *at != '\0' && count < most_words;) {
    words[count++] = at;
    while (*at != '\0' && *at != ' ') ++at;
    while (*at == ' ') *at++ = '\0';
  }
  return hosted_main(count, words);
}
