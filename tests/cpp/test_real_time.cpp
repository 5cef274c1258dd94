// The rules of a real-time thread, which run() keeps from its very first call: no system call, no memory from the heap.
// The child below is killed at its first system call other than read, write and exit.
#include <rlcompress/rlcompress.hpp>

#include "allocations.hpp"
#include "check.hpp"
#include "network.hpp"

#if defined(__linux__)
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

using rlcompress::Model;
using rlcompress::Status;

// Everything that the loop touches, made before it.
struct Case {
  test::Bytes image;
  test::Floats observations, actions;
  test::Bytes workspace = test::Bytes(1 << 17);
};

std::vector<Case> make_cases() {
  test::Random random(23);
  std::vector<Case> cases;
  for (int i = 0; i < 24; ++i) {
    test::Network network = test::random_network(random, {20, 1 + random() % 140, 40, 6}, false);
    if (i % 2 == 1) test::widen_observation(random, network, false);
    Case c;
    c.image = test::image_of(network);
    c.observations = test::random_floats(random, 4 * network.inputs(), false);
    c.actions.resize(4 * network.actions());
    cases.push_back(c);
  }
  return cases;
}

// Opening, testing and running; false on any other status than ok.
bool run_all(std::vector<Case>& cases, int runs) {
  for (Case& c : cases) {
    const auto model = Model::from_bytes(c.image);
    if (!model) return false;
    const rlcompress::View<const float> x(c.observations.data(), model->input_size());
    const rlcompress::View<float> y(c.actions.data(), model->action_size());
    for (int i = 0; i < runs; ++i) {
      if (model->run(x, y, c.workspace) != Status::ok) return false;
    }
    if (model->run_batch(4, c.observations, c.actions, c.workspace) != Status::ok) return false;
    if (model->self_test(c.workspace) != Status::ok) return false;
  }
  return true;
}

#if defined(__linux__) && !defined(RLCOMPRESS_SANITIZED)

enum : int { done = 0, failed = 1, not_confined = 2, survived = 3 };

// The child's end: with a number, or -1 where a signal ended it.
template <class Body>
int end_of_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    const int code = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0 ? int{not_confined} : body();
    syscall(SYS_exit, code);  // not _exit: exit_group is not among the calls that are left
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return not_confined;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void check_system_calls(std::vector<Case>& cases) {
  const int confined = end_of_child([] {
    syscall(SYS_getpid);
    return int{survived};
  });
  if (confined != -1) {
    std::puts("system calls were not checked: this kernel or emulator does not confine a process");
    return;
  }
  const int end = end_of_child([&] { return run_all(cases, 5000) ? int{done} : int{failed}; });
  CHECK_THAT(end == done, "the child ended with %d; -1 is a system call", end);
}

#else
void check_system_calls(std::vector<Case>&) { std::puts("system calls are checked on Linux, without sanitizers"); }
#endif

}  // namespace

int main() {
  std::vector<Case> cases = make_cases();
  check_system_calls(cases);  // first: the child's first run is the first of all
  const std::size_t before = test::allocations();
  CHECK(run_all(cases, 100));
  CHECK_THAT(test::allocations() == before, "%zu allocations", test::allocations() - before);
  return test::report();
}
